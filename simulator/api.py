"""What each call answers when nothing is wrong with the world: rights, limits, then the call itself. No faults here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.answers import Answer, Refusal, no_route, success
from simulator.auth import Credential
from simulator.calls import Call
from simulator.clock import parse_rfc3339, rfc3339
from simulator.config import KINDS
from simulator.creation import create_commands
from simulator.downloads import analyse, download
from simulator.ledger import Command, Post, Query
from simulator.life import FAILED, STATUSES, SUCCESS
from simulator.presence import is_online, last_seen
from simulator.state import Simulator
from simulator.world import Device

BAD_PAGE = 1008
BAD_FILTER = 1009
SEEN_WITHIN = 3600.0  # simulated seconds: the devices listing names who was connected in the last hour


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as the API sees it. `post` is the ledger's entry of a POST; `lag` hides younger commands."""

    call: Call
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    post: Post | None = None
    lag: float = 0.0


def answer(sim: Simulator, ask: Ask) -> Answer:
    try:
        credential = sim.credentials.identify(ask.headers)
        if ask.post:
            ask.post.credential = credential.label
        _check_rate(sim, credential)
        handler = _HANDLERS.get(ask.call.name)
        if handler is None:
            raise no_route(ask.call.path)
        credential.require(ask.call.account_id, write=ask.call.name == "create")
        return handler(sim, ask)
    except Refusal as refusal:
        return refusal.answer()


def _check_rate(sim: Simulator, credential: Credential) -> None:
    wait = sim.rate_limits.wait(
        credential.label,
        sim.clock.now(),
        limit=sim.config.rate_limit,
        window_seconds=sim.real(sim.config.rate_window),
    )
    if wait:
        raise Refusal(429, 10429, "More than the allowed requests in 5 minutes", retry_after=wait)


def _create(sim: Simulator, ask: Ask) -> Answer:
    assert ask.post is not None
    return create_commands(sim, ask.call.account_id, ask.body, ask.post)


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    """(page, per_page): both required."""
    return _whole(query, "page", 1, 10**9), _whole(query, "per_page", 1, 50)


def _whole(query: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = query.get(name, "")
    try:
        number = float(text)
    except ValueError:
        raise Refusal(400, BAD_PAGE, f"{name}: a number is required") from None
    if number != number // 1 or not least <= number <= most:
        raise Refusal(400, BAD_PAGE, f"{name}: a number from {least} to {most} is required")
    return int(number)


def _instant(query: Mapping[str, str], name: str) -> float | None:
    if name not in query:
        return None
    try:
        return parse_rfc3339(query[name])
    except ValueError:
        raise Refusal(400, BAD_FILTER, f"{name}: a date and time with a zone is required") from None


def _one_of(query: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    word = query.get(name, "")
    if name in query and word not in words:
        raise Refusal(400, BAD_FILTER, f"{name}: one of {', '.join(words)} is required")
    return word


def _info(page: int, per_page: int, count: int, total: int) -> dict[str, object]:
    """`total` counts without filters, as documented."""
    return {
        "page": page,
        "per_page": per_page,
        "count": count,
        "total_count": total,
        "total_pages": -(-total // per_page),
    }


def _list(sim: Simulator, ask: Ask) -> Answer:
    now = sim.clock.now()
    page, per_page = _page(ask.query)
    query = Query(
        page=page,
        per_page=per_page,
        since=_instant(ask.query, "from"),
        until=_instant(ask.query, "to"),
        device_id=ask.query.get("device_id", ""),
        user_email=ask.query.get("user_email", "").lower(),
        kind=_one_of(ask.query, "command_type", KINDS),
        status=_one_of(ask.query, "status", STATUSES),
        hidden_after=now - ask.lag if ask.lag else None,
        newest_first=sim.config.sort == "newest",
        inclusive=sim.config.range_ends == "inclusive",
    )
    account_id = ask.call.account_id
    rows = [_list_row(command, now) for command in sim.ledger.page(account_id, query, now)]
    info = _info(page, per_page, len(rows), sim.ledger.count(account_id))
    return Answer(200, success({"commands": rows}, result_info=info))


def _list_row(command: Command, now: float) -> dict[str, object]:
    status = command.status(now)
    ended = status in {SUCCESS, FAILED}
    return {
        "id": command.id,
        "type": command.kind,
        "status": status,
        "device_id": command.device.device_id,
        "registration_id": command.device.registration_id,
        "user_email": command.device.person_email,
        "created_date": rfc3339(command.created_at),
        "completed_date": rfc3339(command.timeline.ends_at) if ended else None,
        "filename": command.filename if status == SUCCESS else None,
    }


def _devices(sim: Simulator, ask: Ask) -> Answer:
    now = sim.clock.now()
    page, per_page = _page(ask.query)
    wanted = ask.query.get("search", "").lower()
    oldest = now - sim.real(SEEN_WITHIN)
    everyone = sim.worlds[ask.call.account_id].devices
    listed = [device for device in everyone if last_seen(device.presence, now, sim.speed) >= oldest]
    found = [device for device in listed if wanted in device.device_name.lower() or wanted in device.person_email]
    start = (page - 1) * per_page
    rows = [_device_row(sim, device, now) for device in found[start : start + per_page]]
    return Answer(200, success({"devices": rows}, result_info=_info(page, per_page, len(rows), len(listed))))


def _device_row(sim: Simulator, device: Device, now: float) -> dict[str, object]:
    seen = last_seen(device.presence, now, sim.speed)
    row: dict[str, object] = {
        "deviceId": device.device_id,
        "deviceName": device.device_name,
        "eligible": device.eligible,
        "personEmail": device.person_email,
        "platform": device.platform,
        "registrationId": device.registration_id,
        "status": "connected" if is_online(device.presence, now, sim.speed) else "disconnected",
        "timestamp": _old_form(seen) if device.old_timestamp else rfc3339(seen),
        "version": device.version,
    }
    if not device.eligible:
        row["ineligibleReason"] = device.ineligible_reason
    return row


def _old_form(at: float) -> str:
    """For example 2023-10-11 00:00:00+00: to the second, no minutes in the zone."""
    return rfc3339(at)[:19].replace("T", " ") + "+00"


def _quota(sim: Simulator, ask: Ask) -> Answer:
    now, day = sim.clock.now(), sim.real(sim.config.quota_day)
    account_id = ask.call.account_id
    total, used = sim.accounts[account_id].quota, sim.quotas.usage(account_id, now, day)
    result = {
        "quota": max(0, total - used) if sim.config.quota_means == "remaining" else total,
        "quota_usage": used,
        "reset_time": rfc3339(sim.quotas.reset_at(account_id, now, day)),
    }
    return Answer(200, success(result))


def _download(sim: Simulator, ask: Ask) -> Answer:
    return download(sim, ask.call, ask.headers)


def _analysis(sim: Simulator, ask: Ask) -> Answer:
    return analyse(sim, ask.call)


_HANDLERS: dict[str, Callable[[Simulator, Ask], Answer]] = {
    "create": _create,
    "list": _list,
    "devices": _devices,
    "quota": _quota,
    "download": _download,
    "fallback_download": _download,
    "analysis": _analysis,
}
