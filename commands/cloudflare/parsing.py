"""From Cloudflare's `result` to our values. Absent, null and foreign fields are tolerated.

Raises Unreadable where the whole makes no sense, and nothing else.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from commands.cloudflare import coerce
from commands.cloudflare.errors import Unreadable
from commands.cloudflare.types import Call, Created, Json, ListedCommand, ListedDevice, Page, QuotaReading

_MAX_NAME = 4000

type Fields = Mapping[str, Json]


def rows(call: Call, result: Json, key: str) -> list[Json]:
    """The list under `key`; null or absent is an empty one."""
    found = result.get(key) if isinstance(result, dict) else result
    if found is None:
        return []
    if not isinstance(found, list):
        raise Unreadable(call, "Cloudflare's answer has no list where one was expected.", status=200)
    return found


def page[Row](
    found: list[Json], row: Callable[[Fields], Row], number: int, per_page: int, date: datetime | None
) -> Page[Row]:
    fields = [entry for entry in found if isinstance(entry, dict)]
    return Page(
        number=number,
        rows=tuple(row(entry) for entry in fields),
        short=len(found) < per_page,
        unreadable=len(found) - len(fields),
        date=date,
    )


def created(fields: Fields) -> Created:
    args = _either(fields, "args", "command_args")
    return Created(
        id=coerce.identifier(fields.get("id")),
        kind=coerce.text(_either(fields, "type", "command_type")).lower(),
        status=coerce.text(fields.get("status")),
        device_id=coerce.identifier(fields.get("device_id")),
        registration_id=coerce.identifier(fields.get("registration_id")),
        args=tuple(sorted((key, coerce.text(value)) for key, value in args.items())) if isinstance(args, dict) else (),
    )


def listed_command(fields: Fields) -> ListedCommand:
    filename = fields.get("filename")
    return ListedCommand(
        id=coerce.identifier(fields.get("id")),
        kind=coerce.text(_either(fields, "type", "command_type")).lower(),
        status=coerce.text(fields.get("status")),
        device_id=coerce.identifier(fields.get("device_id")),
        registration_id=coerce.identifier(fields.get("registration_id")),
        user_email=coerce.email(fields.get("user_email")),
        created_date=coerce.instant(fields.get("created_date")),
        completed_date=coerce.instant(fields.get("completed_date")),
        filename=coerce.safe_filename(filename[:_MAX_NAME]) if isinstance(filename, str) else "",
    )


def listed_device(fields: Fields) -> ListedDevice:
    return ListedDevice(
        device_id=coerce.identifier(fields.get("deviceId")),
        registration_id=coerce.identifier(fields.get("registrationId")),
        user_email=coerce.email(fields.get("personEmail")),
        name=coerce.text(fields.get("deviceName")),
        platform=coerce.text(fields.get("platform")).lower(),
        version=coerce.text(fields.get("version")),
        status=coerce.text(fields.get("status")),
        eligible=coerce.flag(fields.get("eligible")),
        ineligible_reason=coerce.text(fields.get("ineligibleReason")),
        seen_at=coerce.instant(fields.get("timestamp")),
    )


def quota(call: Call, result: Json, date: datetime | None) -> QuotaReading:
    fields = {} if result is None else result
    if not isinstance(fields, dict):
        raise Unreadable(call, "Cloudflare's answer has no quota.", status=200)
    return QuotaReading(
        total=coerce.count(fields.get("quota")),
        used=coerce.count(fields.get("quota_usage")),
        reset_at=coerce.instant(fields.get("reset_time")),
        date=date,
    )


def _either(fields: Fields, current: str, legacy: str) -> Json:
    value = fields.get(current)
    return fields.get(legacy) if value is None else value
