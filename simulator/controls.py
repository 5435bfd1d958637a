"""The controls under /_sim: look into the ledger, set the world and its faults. No rights, no faults, no limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import islice

from aiohttp import web

from simulator.answers import Refusal
from simulator.bodies import Item
from simulator.clock import parse_rfc3339, rfc3339
from simulator.config import KINDS
from simulator.creation import find_device
from simulator.faults import Faults
from simulator.history import LoadOrder, make_history
from simulator.ledger import Command, Post
from simulator.presence import is_online
from simulator.state import Simulator
from simulator.typed import BadInputError, as_object, overlay
from simulator.world import Device

type Control = Callable[[Simulator, web.Request], Awaitable[object]]


def add_routes(app: web.Application, sim: Simulator) -> None:
    for method, path, control in _CONTROLS:
        app.router.add_route(method, f"/_sim/{path}", _handler(sim, control))


def _handler(sim: Simulator, control: Control) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            told = await asyncio.to_thread(json.dumps, await control(sim, request))
            return web.Response(text=told, content_type="application/json")
        except (BadInputError, Refusal) as problem:
            return web.json_response({"error": str(problem)}, status=400)

    return handle


async def _body(request: web.Request) -> dict[str, object]:
    text = await request.text()
    try:
        return as_object(json.loads(text) if text else {}, "body")
    except ValueError:
        raise BadInputError("body: not valid JSON") from None


async def _get_ledger(sim: Simulator, request: web.Request) -> object:
    wanted = _ledger_query(request)
    commands, posts = list(sim.ledger.commands()), list(sim.ledger.posts.values())
    return await asyncio.to_thread(_tell, wanted, commands, posts, sim.clock.now())


@dataclass(frozen=True, slots=True)
class _LedgerQuery:
    """Everything where nothing is asked."""

    since: float
    limit: int | None
    account: str


def _ledger_query(request: web.Request) -> _LedgerQuery:
    try:
        since = parse_rfc3339(request.query["since"]) if "since" in request.query else 0.0
        limit = abs(int(request.query["limit"])) if "limit" in request.query else None
    except ValueError as problem:
        raise BadInputError(f"since or limit: {problem}") from None
    return _LedgerQuery(since, limit, request.query.get("account", ""))


def _tell(wanted: _LedgerQuery, commands: list[Command], posts: list[Post], now: float) -> dict[str, object]:
    """In a thread of its own: a large ledger takes seconds."""
    rows = (
        _command(command, now)
        for command in commands
        if command.created_at >= wanted.since and wanted.account in {"", command.device.account_id}
    )
    entries = (
        _post(post) for post in posts if post.received_at >= wanted.since and wanted.account in {"", post.account_id}
    )
    return {"commands": list(islice(rows, wanted.limit)), "posts": list(islice(entries, wanted.limit))}


def _command(command: Command, now: float) -> dict[str, object]:
    return {
        "id": command.id,
        "account": command.device.account_id,
        "device_id": command.device.device_id,
        "registration_id": command.device.registration_id,
        "user_email": command.device.person_email,
        "kind": command.kind,
        "args": dict(command.options),
        "created_at": rfc3339(command.created_at),
        "ends_at": rfc3339(command.timeline.ends_at),
        "status": command.status(now),
        "cause": command.timeline.cause,
        "post_id": command.post_id or None,
        "foreign": command.foreign,
        "fetched": [list(faults) for faults in command.fetched],
    }


def _post(post: Post) -> dict[str, object]:
    return {
        "id": post.id,
        "received_at": rfc3339(post.received_at),
        "account": post.account_id,
        "credential": post.credential,
        "items": post.items,
        "faults": list(post.faults),
        "outcome": post.outcome,
        "status_code": post.status_code,
        "answered": post.answered,
        "command_ids": list(post.command_ids),
    }


async def _get_faults(sim: Simulator, request: web.Request) -> object:
    return sim.faults.to_json()


async def _put_faults(sim: Simulator, request: web.Request) -> object:
    sim.faults = Faults.from_json(await _body(request))
    return sim.faults.to_json()


async def _get_config(sim: Simulator, request: web.Request) -> object:
    return sim.config.to_json()


async def _put_config(sim: Simulator, request: web.Request) -> object:
    sim.configure(sim.config.changed(await _body(request)))
    return sim.config.to_json()


@dataclass(frozen=True, slots=True)
class _ResetOrder:
    config: bool = False


async def _reset(sim: Simulator, request: web.Request) -> object:
    order = overlay(_ResetOrder(), await _body(request), "reset")
    sim.reset()
    if order.config:
        sim.configure(sim.first_config)
    return {"config": sim.config.to_json(), "faults": sim.faults.to_json()}


@dataclass(frozen=True, slots=True)
class _ForeignOrder:
    account: str = ""
    device_id: str = ""
    kind: str = "pcap"
    registration_id: str = ""
    user_email: str = ""


async def _foreign(sim: Simulator, request: web.Request) -> object:
    """Somebody uses the dashboard: a command that no POST created."""
    body = await _body(request)
    options = as_object(body.pop("args", {}), "foreign.args")
    order = overlay(_ForeignOrder(), body, "foreign")
    world = sim.worlds.get(order.account or next(iter(sim.accounts)))
    if world is None or order.kind not in KINDS:
        raise BadInputError("foreign: a known account and kind are needed")
    rows = [row for row in world.rows(order.device_id) if order.registration_id in {"", row.registration_id}]
    email = order.user_email.lower() or (rows[0].person_email if rows else "")
    registration = order.registration_id or (rows[0].registration_id if rows else "")
    device = find_device(world, Item(order.device_id, registration, email, order.kind, options))
    now = sim.clock.now()
    return _command(sim.create(device, order.kind, options, at=now), now)


async def _load(sim: Simulator, request: web.Request) -> object:
    order = overlay(LoadOrder(), await _body(request), "load")
    commands = await asyncio.to_thread(make_history, sim, order)
    sim.ledger.load(commands)
    return {"loaded": len(commands), "commands": len(sim.ledger)}


async def _get_world(sim: Simulator, request: web.Request) -> object:
    """Every registration with what no API call tells: whether it is there, and what is wrong with it."""
    now = sim.clock.now()
    return {"devices": [_device(sim, device, now) for world in sim.worlds.values() for device in world.devices]}


def _device(sim: Simulator, device: Device, now: float) -> dict[str, object]:
    online = is_online(device.presence, now, sim.speed)
    return {**asdict(device), "eligible": device.eligible, "online": online}


_CONTROLS: tuple[tuple[str, str, Control], ...] = (
    ("GET", "ledger", _get_ledger),
    ("GET", "faults", _get_faults),
    ("PUT", "faults", _put_faults),
    ("GET", "config", _get_config),
    ("PUT", "config", _put_config),
    ("POST", "reset", _reset),
    ("POST", "foreign", _foreign),
    ("POST", "load", _load),
    ("GET", "world", _get_world),
)
PATHS = tuple(sorted({f"/_sim/{path}" for _, path, _ in _CONTROLS}))
