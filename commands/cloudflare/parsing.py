"""From Cloudflare's `result` to our values. Absent, null and foreign fields are tolerated.

Raises Unreadable where the whole makes no sense, and nothing else.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from commands.cloudflare import values
from commands.cloudflare.errors import Unreadable
from commands.cloudflare.types import Call, Created, Json, ListedCommand, ListedDevice, Page, Quota

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
        id=values.identifier(fields.get("id")),
        kind=values.text(_either(fields, "type", "command_type")).lower(),
        status=values.text(fields.get("status")),
        device_id=values.identifier(fields.get("device_id")),
        registration_id=values.identifier(fields.get("registration_id")),
        args=tuple(sorted((key, values.text(value)) for key, value in args.items())) if isinstance(args, dict) else (),
    )


def listed_command(fields: Fields) -> ListedCommand:
    filename = fields.get("filename")
    return ListedCommand(
        id=values.identifier(fields.get("id")),
        kind=values.text(_either(fields, "type", "command_type")).lower(),
        status=values.text(fields.get("status")),
        device_id=values.identifier(fields.get("device_id")),
        registration_id=values.identifier(fields.get("registration_id")),
        user_email=values.email(fields.get("user_email")),
        created_date=values.instant(fields.get("created_date")),
        completed_date=values.instant(fields.get("completed_date")),
        filename=values.safe_filename(filename[:_MAX_NAME]) if isinstance(filename, str) else "",
    )


def listed_device(fields: Fields) -> ListedDevice:
    return ListedDevice(
        device_id=values.identifier(fields.get("deviceId")),
        registration_id=values.identifier(fields.get("registrationId")),
        user_email=values.email(fields.get("personEmail")),
        name=values.text(fields.get("deviceName")),
        platform=values.text(fields.get("platform")).lower(),
        version=values.text(fields.get("version")),
        status=values.text(fields.get("status")),
        eligible=values.flag(fields.get("eligible")),
        ineligible_reason=values.text(fields.get("ineligibleReason")),
        seen_at=values.instant(fields.get("timestamp")),
    )


def quota(call: Call, result: Json, date: datetime | None) -> Quota:
    fields = {} if result is None else result
    if not isinstance(fields, dict):
        raise Unreadable(call, "Cloudflare's answer has no quota.", status=200)
    return Quota(
        total=values.count(fields.get("quota")),
        used=values.count(fields.get("quota_usage")),
        reset_at=values.instant(fields.get("reset_time")),
        date=date,
    )


def _either(fields: Fields, current: str, legacy: str) -> Json:
    value = fields.get(current)
    return fields.get(legacy) if value is None else value
