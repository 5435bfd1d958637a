"""The way of one request: faults before, the call itself, faults after, the wire. Rules of the API live in `api.py`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from simulator import controls, wire
from simulator.answers import Answer, Refusal, failure
from simulator.api import Ask, answer
from simulator.bodies import raw_items, read_item
from simulator.calls import Call, recognise
from simulator.creation import find_device
from simulator.distort import distorted
from simulator.faults import Effect
from simulator.ledger import Ledger, Post
from simulator.state import Simulator

FOR_EVER = 3600.0
MAX_BODY = 16 * 1024 * 1024
_DOWNLOADS = frozenset({"download", "fallback_download"})


class _ResetConnectionError(Exception):
    """The fault says: no answer, a reset."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    ask: Ask
    effects: tuple[Effect, ...]

    def stage(self, when: str) -> list[Effect]:
        return [effect for effect in self.effects if effect.when == when]


def build_app(sim: Simulator) -> web.Application:
    """The API under /client/v4 and the controls under /_sim. Run it with `handler_cancellation`, so that a client
    that leaves frees its hanging request."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _serve(sim, request)

    app = web.Application(client_max_size=MAX_BODY)
    controls.add_routes(app, sim)
    app.router.add_route("*", "/{tail:.*}", serve)
    return app


async def _serve(sim: Simulator, request: web.Request) -> web.StreamResponse:
    body = await request.read()
    call = recognise(request.method, request.path)
    post = _record(sim, call, body) if call.name == "create" else None
    exchange = _exchange(sim, request, call, body, post)
    try:
        answered = await _carry_out(sim, exchange)
        answered = distorted(answered, exchange.effects, sim.faults.rng)
        response = await wire.send(request, answered, exchange.effects, now=sim.clock.now())
    except _ResetConnectionError:
        wire.reset(request)
        return web.Response()
    if post:
        post.status_code = answered.status
        post.answered = request.transport is not None and not request.transport.is_closing()
    return response


def _record(sim: Simulator, call: Call, body: bytes) -> Post:
    post = Post(str(uuid.uuid4()), call.account_id, sim.clock.now())
    with suppress(Refusal):
        post.items = raw_items(body)
    sim.ledger.posts[post.id] = post
    return post


def _exchange(sim: Simulator, request: web.Request, call: Call, body: bytes, post: Post | None) -> _Exchange:
    effects = sim.faults.pick(call)
    headers = {name: request.headers[name] for name in _USED_HEADERS if name in request.headers}
    if any(effect.kind == "gzip" for effect in effects):
        headers.pop("Range", None)
    lag = max((effect.seconds for effect in effects if effect.kind == "listing_lag"), default=0.0)
    kinds = tuple(effect.kind for effect in effects)
    if post:
        post.faults = kinds
    fetched = sim.ledger.command(call.account_id, call.command_id)
    if fetched and call.name in _DOWNLOADS:
        fetched.fetched.append(kinds)
    return _Exchange(Ask(call, headers, dict(request.query), body, post, lag), effects)


_USED_HEADERS = ("Authorization", "X-Auth-Email", "X-Auth-Key", "Range", "If-Range")


async def _carry_out(sim: Simulator, exchange: _Exchange) -> Answer:
    """The answer of the call, or of the fault that stands in its way."""
    early = await _interfere(sim, exchange.ask, exchange.stage("before"))
    if early:
        return early
    answered = await _perform(sim, exchange.ask)
    return await _interfere(sim, exchange.ask, exchange.stage("after")) or answered


async def _perform(sim: Simulator, ask: Ask) -> Answer:
    if ask.call.name in _DOWNLOADS:  # may build a zip
        return await asyncio.to_thread(answer, sim, ask)
    answered = answer(sim, ask)
    if ask.post:
        ask.post.outcome = "created" if ask.post.command_ids else "refused"
    return answered


async def _interfere(sim: Simulator, ask: Ask, effects: Sequence[Effect]) -> Answer | None:
    """Waits, resets, and the answer that takes the place of the real one, if any."""
    for effect in effects:
        act = _ACTS.get(effect.kind)
        answered = await act(sim, ask, effect) if act else None
        if answered:
            return answered
    return None


async def _latency(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    await asyncio.sleep(effect.seconds)
    return None


async def _hang(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    await asyncio.sleep(effect.seconds or FOR_EVER)
    return None


async def _reset(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    raise _ResetConnectionError


async def _accepted_late(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    """The timer belongs to the server, not to the request: it fires when the client has long gone."""
    asyncio.get_running_loop().call_later(effect.seconds, _land, sim, sim.ledger, ask)
    if effect.then == "reset":
        raise _ResetConnectionError
    if effect.then == "error":
        return _failure(effect, effect.status)
    await asyncio.sleep(FOR_EVER)
    return None


def _land(sim: Simulator, ledger: Ledger, ask: Ask) -> None:
    if sim.ledger is not ledger:  # the world was reset meanwhile
        return
    answer(sim, ask)
    if ask.post:
        ask.post.outcome = "created" if ask.post.command_ids else "refused"


async def _foreign_twin(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    """Before: for every item that was sent, created or not. After: only for what was created."""
    if ask.post is None:
        return None
    if effect.when == "after":
        for command_id in ask.post.command_ids:
            ours = sim.ledger.command(ask.call.account_id, command_id)
            if ours:
                sim.create(ours.device, ours.kind, ours.options, at=ours.created_at)
        return None
    items = ask.post.items if isinstance(ask.post.items, list) else []
    for raw in items:
        with suppress(Refusal, KeyError):
            item = read_item(raw, 0, sim.config)
            device = find_device(sim.worlds[ask.call.account_id], item)
            sim.create(device, item.kind, item.options, at=sim.clock.now())
    return None


async def _error(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    return _failure(effect, effect.status)


async def _success_false(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    return _failure(effect, 200)


async def _throttle(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    return _failure(effect, 429, {"Retry-After": str(int(effect.seconds or 1))})


async def _redirect(sim: Simulator, ask: Ask, effect: Effect) -> Answer | None:
    status = effect.status if 300 <= effect.status < 400 else 302
    return _failure(effect, status, {"Location": effect.word or "https://elsewhere.example.net/"})


def _failure(effect: Effect, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, failure([{"code": effect.code, "message": effect.message}]), headers or {})


_ACTS: dict[str, Callable[[Simulator, Ask, Effect], Awaitable[Answer | None]]] = {
    "latency": _latency,
    "hang": _hang,
    "reset": _reset,
    "accepted_late": _accepted_late,
    "foreign_twin": _foreign_twin,
    "error": _error,
    "success_false": _success_false,
    "throttle": _throttle,
    "redirect": _redirect,
}
