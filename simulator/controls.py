"""Controls under /_sim: read the ledger, change the configuration and the faults.

They need no credential, count in no rate limit, and no fault hits them. `docs/simulator.md` describes them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import islice

from aiohttp import web

from simulator.clock import format_rfc3339, parse_rfc3339
from simulator.config import KINDS
from simulator.creation import find_device
from simulator.faults import Faults
from simulator.history import LoadParameters, generate_history
from simulator.json_input import BadInputError, as_object, replace_fields
from simulator.ledger import Command, Post
from simulator.presence import is_online
from simulator.request_body import Item
from simulator.responses import ApiError
from simulator.state import Simulator
from simulator.world import Device

type Control = Callable[[Simulator, web.Request], Awaitable[object]]


def add_routes(app: web.Application, sim: Simulator) -> None:
    for method, path, control in _CONTROLS:
        app.router.add_route(method, f"/_sim/{path}", _handler(sim, control))


def _handler(sim: Simulator, control: Control) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            # in a thread, because the JSON of a large ledger takes seconds
            text = await asyncio.to_thread(json.dumps, await control(sim, request))
            return web.Response(text=text, content_type="application/json")
        except (BadInputError, ApiError) as problem:
            return web.json_response({"error": str(problem)}, status=400)

    return handle


async def _body(request: web.Request) -> dict[str, object]:
    text = await request.text()
    try:
        return as_object(json.loads(text) if text else {}, "body")
    except ValueError:
        raise BadInputError("body: not valid JSON") from None


async def _get_ledger(sim: Simulator, request: web.Request) -> object:
    query = _ledger_query(request)
    # copied here, because the event loop adds commands while the thread reads
    commands, posts = list(sim.ledger.commands()), list(sim.ledger.posts.values())
    return await asyncio.to_thread(_ledger_json, query, commands, posts, sim.clock.now())


@dataclass(frozen=True, slots=True)
class _LedgerQuery:
    """Filters of `GET /_sim/ledger`. 0, None and "" do not filter."""

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


def _ledger_json(query: _LedgerQuery, commands: list[Command], posts: list[Post], now: float) -> dict[str, object]:
    rows = (
        _command_json(command, now)
        for command in commands
        if command.created_at >= query.since and query.account in {"", command.device.account_id}
    )
    entries = (
        _post_json(post) for post in posts if post.received_at >= query.since and query.account in {"", post.account_id}
    )
    return {"commands": list(islice(rows, query.limit)), "posts": list(islice(entries, query.limit))}


def _command_json(command: Command, now: float) -> dict[str, object]:
    return {
        "id": command.id,
        "account": command.device.account_id,
        "device_id": command.device.device_id,
        "registration_id": command.device.registration_id,
        "user_email": command.device.person_email,
        "kind": command.kind,
        "args": dict(command.options),
        "created_at": format_rfc3339(command.created_at),
        "ends_at": format_rfc3339(command.timeline.ends_at),
        "status": command.status(now),
        "cause": command.timeline.cause,
        "post_id": command.post_id or None,
        "foreign": command.foreign,
        "fetched": [list(faults) for faults in command.fetched],
    }


def _post_json(post: Post) -> dict[str, object]:
    return {
        "id": post.id,
        "received_at": format_rfc3339(post.received_at),
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
    sim.configure(sim.config.with_changes(await _body(request)))
    return sim.config.to_json()


@dataclass(frozen=True, slots=True)
class _ResetParameters:
    """Body of `POST /_sim/reset`."""

    config: bool = False


async def _reset(sim: Simulator, request: web.Request) -> object:
    parameters = replace_fields(_ResetParameters(), await _body(request), "reset")
    sim.reset()
    if parameters.config:
        sim.configure(sim.first_config)
    return {"config": sim.config.to_json(), "faults": sim.faults.to_json()}


@dataclass(frozen=True, slots=True)
class _ForeignParameters:
    """Body of `POST /_sim/foreign`, except for `args`. If `account` is "", it is the first account."""

    account: str = ""
    device_id: str = ""
    kind: str = "pcap"
    registration_id: str = ""
    user_email: str = ""


async def _foreign(sim: Simulator, request: web.Request) -> object:
    """Create a command as a user of the dashboard does: without a POST."""
    body = await _body(request)
    options = as_object(body.pop("args", {}), "foreign.args")
    parameters = replace_fields(_ForeignParameters(), body, "foreign")
    world = sim.worlds.get(parameters.account or next(iter(sim.accounts)))
    if world is None or parameters.kind not in KINDS:
        raise BadInputError("foreign: a known account and kind are needed")
    rows = [row for row in world.rows(parameters.device_id) if parameters.registration_id in {"", row.registration_id}]
    email = parameters.user_email.lower() or (rows[0].person_email if rows else "")
    registration = parameters.registration_id or (rows[0].registration_id if rows else "")
    device = find_device(world, Item(parameters.device_id, registration, email, parameters.kind, options))
    now = sim.clock.now()
    return _command_json(sim.create(device, parameters.kind, options, at=now), now)


async def _load(sim: Simulator, request: web.Request) -> object:
    parameters = replace_fields(LoadParameters(), await _body(request), "load")
    commands = await asyncio.to_thread(generate_history, sim, parameters)
    sim.ledger.load(commands)
    return {"loaded": len(commands), "commands": len(sim.ledger)}


async def _get_world(sim: Simulator, request: web.Request) -> object:
    """Show every registration, including the facts that no API call shows."""
    now = sim.clock.now()
    return {"devices": [_device_json(sim, device, now) for world in sim.worlds.values() for device in world.devices]}


def _device_json(sim: Simulator, device: Device, now: float) -> dict[str, object]:
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
