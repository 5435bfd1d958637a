"""Web application: carries one request through its faults, the API call and the response writer.

This module owns the faults of timing and outcome (delays, resets, errors in place of the response).
The rules of the API belong to `api.py`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from simulator import controls, response_writer
from simulator.api import ApiRequest, handle
from simulator.creation import find_device
from simulator.faults import Effect
from simulator.ledger import Ledger, Post
from simulator.payload_faults import apply_payload_faults
from simulator.request_body import parse_item, parse_items
from simulator.responses import ApiError, Response, failure_payload
from simulator.routes import Call, match_route
from simulator.state import Simulator

ENDLESS = 3600.0  # seconds: longer than any client waits
MAX_BODY = 16 * 1024 * 1024
_DOWNLOADS = frozenset({"download", "fallback_download"})
_USED_HEADERS = ("Authorization", "X-Auth-Email", "X-Auth-Key", "Range", "If-Range")


class _ResetConnectionError(Exception):
    """Fault that ends the connection by a reset, without a response."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request, and the faults that hit it."""

    request: ApiRequest
    effects: tuple[Effect, ...]

    def effects_at(self, when: str) -> list[Effect]:
        return [effect for effect in self.effects if effect.when == when]


def build_app(sim: Simulator) -> web.Application:
    """Build the API under /client/v4 and the controls under /_sim.

    Run the application with `handler_cancellation`, so that a client that disconnects frees its hanging request.
    """

    async def serve(http_request: web.Request) -> web.StreamResponse:
        return await _serve(sim, http_request)

    app = web.Application(client_max_size=MAX_BODY)
    controls.add_routes(app, sim)
    app.router.add_route("*", "/{tail:.*}", serve)
    return app


async def _serve(sim: Simulator, http_request: web.Request) -> web.StreamResponse:
    body = await http_request.read()
    call = match_route(http_request.method, http_request.path)
    # recorded before any fault, so that the ledger holds the POSTs that get no response, too
    post = _record_post(sim, call, body) if call.name == "create" else None
    exchange = _exchange(sim, http_request, call, body, post)
    try:
        response = await _carry_out(sim, exchange)
        response = apply_payload_faults(response, exchange.effects, sim.faults.rng)
        sent = await response_writer.send(http_request, response, exchange.effects, now=sim.clock.now())
    except _ResetConnectionError:
        response_writer.reset(http_request)
        return web.Response()
    if post:
        post.status_code = response.status
        post.answered = http_request.transport is not None and not http_request.transport.is_closing()
    return sent


def _record_post(sim: Simulator, call: Call, body: bytes) -> Post:
    post = Post(str(uuid.uuid4()), call.account_id, sim.clock.now())
    with suppress(ApiError):
        post.items = parse_items(body)
    sim.ledger.posts[post.id] = post
    return post


def _exchange(sim: Simulator, http_request: web.Request, call: Call, body: bytes, post: Post | None) -> _Exchange:
    """Pick the faults of a request, and note them in the ledger."""
    effects = sim.faults.pick(call)
    headers = {name: http_request.headers[name] for name in _USED_HEADERS if name in http_request.headers}
    if any(effect.kind == "gzip" for effect in effects):
        # an encoded download is always whole: the client's range counts bytes of the file, not of its encoding
        headers.pop("Range", None)
    lag = max((effect.seconds for effect in effects if effect.kind == "listing_lag"), default=0.0)
    kinds = tuple(effect.kind for effect in effects)
    if post:
        post.faults = kinds
    command = sim.ledger.command(call.account_id, call.command_id)
    if command and call.name in _DOWNLOADS:
        command.fetched.append(kinds)
    return _Exchange(ApiRequest(call, headers, dict(http_request.query), body, post, lag), effects)


async def _carry_out(sim: Simulator, exchange: _Exchange) -> Response:
    """Return the response of the call, or of the fault that takes its place."""
    replacement = await _apply_faults(sim, exchange.request, exchange.effects_at("before"))
    if replacement:
        return replacement
    response = await _perform(sim, exchange.request)
    return await _apply_faults(sim, exchange.request, exchange.effects_at("after")) or response


async def _perform(sim: Simulator, request: ApiRequest) -> Response:
    if request.call.name in _DOWNLOADS:
        # a download may build a zip, which would block the event loop
        return await asyncio.to_thread(handle, sim, request)
    return _handle_and_record(sim, request)


def _handle_and_record(sim: Simulator, request: ApiRequest) -> Response:
    response = handle(sim, request)
    if request.post:
        request.post.outcome = "created" if request.post.command_ids else "refused"
    return response


async def _apply_faults(sim: Simulator, request: ApiRequest, effects: Sequence[Effect]) -> Response | None:
    """Delay, reset or replace the response. Return the replacement, if there is one."""
    for effect in effects:
        fault = _FAULTS.get(effect.kind)
        replacement = await fault(sim, request, effect) if fault else None
        if replacement:
            return replacement
    return None


async def _latency(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    await asyncio.sleep(effect.seconds)
    return None


async def _hang(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    await asyncio.sleep(effect.seconds or ENDLESS)
    return None


async def _reset(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    raise _ResetConnectionError


async def _accepted_late(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    """Carry out the request later, and hang, reset or fail now."""
    # a timer of the event loop, not a part of this request: it must fire although the client has disconnected
    asyncio.get_running_loop().call_later(effect.seconds, _perform_late, sim, sim.ledger, request)
    if effect.then == "reset":
        raise _ResetConnectionError
    if effect.then == "error":
        return _failure(effect, effect.status)
    await asyncio.sleep(ENDLESS)
    return None


def _perform_late(sim: Simulator, ledger: Ledger, request: ApiRequest) -> None:
    # after a reset of the simulator, the request belongs to a ledger that is no longer used
    if sim.ledger is ledger:
        _handle_and_record(sim, request)


async def _foreign_twin(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    """Create the same commands once more, as a dashboard user.

    Before the call: one for each item of the POST, even if the POST is rejected later. After it: one for each
    command that was created.
    """
    if request.post is None:
        return None
    if effect.when == "after":
        for command_id in request.post.command_ids:
            created = sim.ledger.command(request.call.account_id, command_id)
            if created:
                sim.create(created.device, created.kind, created.options, at=created.created_at)
        return None
    items = request.post.items if isinstance(request.post.items, list) else []
    for raw in items:
        # an item that is invalid, or of an unknown account, has no twin
        with suppress(ApiError, KeyError):
            item = parse_item(raw, 0, sim.config)
            device = find_device(sim.worlds[request.call.account_id], item)
            sim.create(device, item.kind, item.options, at=sim.clock.now())
    return None


async def _error(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    return _failure(effect, effect.status)


async def _success_false(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    return _failure(effect, 200)


async def _throttle(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    return _failure(effect, 429, {"Retry-After": str(int(effect.seconds or 1))})


async def _redirect(sim: Simulator, request: ApiRequest, effect: Effect) -> Response | None:
    status = effect.status if 300 <= effect.status < 400 else 302
    return _failure(effect, status, {"Location": effect.word or "https://elsewhere.example.net/"})


def _failure(effect: Effect, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, failure_payload([{"code": effect.code, "message": effect.message}]), headers or {})


_FAULTS: dict[str, Callable[[Simulator, ApiRequest, Effect], Awaitable[Response | None]]] = {
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
