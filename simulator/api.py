"""Handlers of the API calls: authentication, rate limit, then the call itself.

This module must not know faults. `app.py` applies them around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.auth import Credential
from simulator.clock import format_rfc3339, parse_rfc3339
from simulator.config import KINDS
from simulator.creation import create_commands
from simulator.downloads import analysis, download
from simulator.ledger import Command, Post, Query
from simulator.lifecycle import FAILED, STATUSES, SUCCESS
from simulator.presence import is_online, last_seen
from simulator.responses import ApiError, Response, route_not_found, success_payload
from simulator.routes import Call
from simulator.state import Simulator
from simulator.world import Device

BAD_PAGE = 1008
BAD_FILTER = 1009
SEEN_WITHIN = 3600.0  # simulated seconds: Cloudflare lists the devices that connected in the last hour


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the API.

    `post` is the ledger's entry of a POST. `listing_lag` hides commands that are younger than so many seconds.
    """

    call: Call
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    post: Post | None = None
    listing_lag: float = 0.0


def handle(sim: Simulator, request: ApiRequest) -> Response:
    try:
        credential = sim.credentials.identify(request.headers)
        if request.post:
            request.post.credential = credential.label
        _check_rate(sim, credential)
        handler = _HANDLERS.get(request.call.name)
        if handler is None:
            raise route_not_found(request.call.path)
        credential.require(request.call.account_id, write=request.call.name == "create")
        return handler(sim, request)
    except ApiError as error:
        return error.to_response()


def _check_rate(sim: Simulator, credential: Credential) -> None:
    retry_after = sim.rate_limits.count_call(
        credential.label,
        sim.clock.now(),
        limit=sim.config.rate_limit,
        window_seconds=sim.to_real_seconds(sim.config.rate_window),
    )
    if retry_after:
        raise ApiError(429, 10429, "More than the allowed requests in 5 minutes", retry_after=retry_after)


def _create(sim: Simulator, request: ApiRequest) -> Response:
    assert request.post is not None
    return create_commands(sim, request.call.account_id, request.body, request.post)


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    """Read `page` and `per_page`. Cloudflare requires both."""
    return _integer(query, "page", 1, 10**9), _integer(query, "per_page", 1, 50)


def _integer(query: Mapping[str, str], name: str, minimum: int, maximum: int) -> int:
    text = query.get(name, "")
    try:
        number = float(text)
    except ValueError:
        raise ApiError(400, BAD_PAGE, f"{name}: a number is required") from None
    if number != number // 1 or not minimum <= number <= maximum:
        raise ApiError(400, BAD_PAGE, f"{name}: a number from {minimum} to {maximum} is required")
    return int(number)


def _instant(query: Mapping[str, str], name: str) -> float | None:
    if name not in query:
        return None
    try:
        return parse_rfc3339(query[name])
    except ValueError:
        raise ApiError(400, BAD_FILTER, f"{name}: a date and time with a zone is required") from None


def _choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, "")
    if name in query and value not in allowed:
        raise ApiError(400, BAD_FILTER, f"{name}: one of {', '.join(allowed)} is required")
    return value


def _result_info(page: int, per_page: int, count: int, total: int) -> dict[str, object]:
    """Build the paging block. `total` must not depend on filters: Cloudflare documents it so."""
    return {
        "page": page,
        "per_page": per_page,
        "count": count,
        "total_count": total,
        "total_pages": -(-total // per_page),
    }


def _list(sim: Simulator, request: ApiRequest) -> Response:
    now = sim.clock.now()
    page, per_page = _page(request.query)
    query = Query(
        page=page,
        per_page=per_page,
        since=_instant(request.query, "from"),
        until=_instant(request.query, "to"),
        device_id=request.query.get("device_id", ""),
        user_email=request.query.get("user_email", "").lower(),
        kind=_choice(request.query, "command_type", KINDS),
        status=_choice(request.query, "status", STATUSES),
        hidden_after=now - request.listing_lag if request.listing_lag else None,
        newest_first=sim.config.sort == "newest",
        inclusive=sim.config.range_ends == "inclusive",
    )
    account_id = request.call.account_id
    rows = [_command_row(command, now) for command in sim.ledger.page(account_id, query, now)]
    info = _result_info(page, per_page, len(rows), sim.ledger.count(account_id))
    return Response(200, success_payload({"commands": rows}, result_info=info))


def _command_row(command: Command, now: float) -> dict[str, object]:
    status = command.status(now)
    ended = status in {SUCCESS, FAILED}
    return {
        "id": command.id,
        "type": command.kind,
        "status": status,
        "device_id": command.device.device_id,
        "registration_id": command.device.registration_id,
        "user_email": command.device.person_email,
        "created_date": format_rfc3339(command.created_at),
        "completed_date": format_rfc3339(command.timeline.ends_at) if ended else None,
        "filename": command.filename if status == SUCCESS else None,
    }


def _devices(sim: Simulator, request: ApiRequest) -> Response:
    now = sim.clock.now()
    page, per_page = _page(request.query)
    search = request.query.get("search", "").lower()
    oldest = now - sim.to_real_seconds(SEEN_WITHIN)
    devices = sim.worlds[request.call.account_id].devices
    recent = [device for device in devices if last_seen(device.presence, now, sim.speed) >= oldest]
    matching = [device for device in recent if search in device.device_name.lower() or search in device.person_email]
    start = (page - 1) * per_page
    rows = [_device_row(sim, device, now) for device in matching[start : start + per_page]]
    info = _result_info(page, per_page, len(rows), len(recent))
    return Response(200, success_payload({"devices": rows}, result_info=info))


def _device_row(sim: Simulator, device: Device, now: float) -> dict[str, object]:
    seen_at = last_seen(device.presence, now, sim.speed)
    row: dict[str, object] = {
        "deviceId": device.device_id,
        "deviceName": device.device_name,
        "eligible": device.eligible,
        "personEmail": device.person_email,
        "platform": device.platform,
        "registrationId": device.registration_id,
        "status": "connected" if is_online(device.presence, now, sim.speed) else "disconnected",
        "timestamp": _old_timestamp(seen_at) if device.old_timestamp else format_rfc3339(seen_at),
        "version": device.version,
    }
    if not device.eligible:
        row["ineligibleReason"] = device.ineligible_reason
    return row


def _old_timestamp(at: float) -> str:
    """Format an instant as Cloudflare's older timestamps, for example 2023-10-11 00:00:00+00."""
    return format_rfc3339(at)[:19].replace("T", " ") + "+00"


def _quota(sim: Simulator, request: ApiRequest) -> Response:
    now, day = sim.clock.now(), sim.to_real_seconds(sim.config.quota_day)
    account_id = request.call.account_id
    total, used = sim.accounts[account_id].quota, sim.quotas.usage(account_id, now, day)
    result = {
        "quota": max(0, total - used) if sim.config.quota_means == "remaining" else total,
        "quota_usage": used,
        "reset_time": format_rfc3339(sim.quotas.reset_at(account_id, now, day)),
    }
    return Response(200, success_payload(result))


def _download(sim: Simulator, request: ApiRequest) -> Response:
    return download(sim, request.call, request.headers)


def _analysis(sim: Simulator, request: ApiRequest) -> Response:
    return analysis(sim, request.call)


_HANDLERS: dict[str, Callable[[Simulator, ApiRequest], Response]] = {
    "create": _create,
    "list": _list,
    "devices": _devices,
    "quota": _quota,
    "download": _download,
    "fallback_download": _download,
    "analysis": _analysis,
}
