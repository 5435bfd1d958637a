"""Conversion of the `result` of a response into the values of `types`.

Absent, null and unknown fields are accepted, because Cloudflare documents no field as always present. Functions raise
Unreadable if the result as a whole has the wrong form, and no other exception.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from commands.cloudflare import coerce
from commands.cloudflare.errors import Unreadable
from commands.cloudflare.types import Call, Created, Json, ListedDevice, Page, QuotaReading
from commands.rules.listed_command import ListedCommand

_MAX_NAME = 4000  # characters of a `filename`, which may be a long URL

type Fields = Mapping[str, Json]


def rows(call: Call, result: Json, key: str) -> list[Json]:
    """Return the list under `key`, or the result itself if it is a list. Null and absent lists are empty."""
    entries = result.get(key) if isinstance(result, dict) else result
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise Unreadable(call, "Cloudflare's response has no list where one was expected.", status=200)
    return entries


def page[Row](
    entries: list[Json], parse_row: Callable[[Fields], Row], number: int, per_page: int, date: datetime | None
) -> Page[Row]:
    """Parse the entries of one page, and count those that are not JSON objects."""
    objects = [entry for entry in entries if isinstance(entry, dict)]
    return Page(
        number=number,
        rows=tuple(parse_row(entry) for entry in objects),
        short=len(entries) < per_page,
        unreadable=len(entries) - len(objects),
        date=date,
    )


def created(fields: Fields) -> Created:
    args = _current_or_legacy(fields, "args", "command_args")
    return Created(
        id=coerce.identifier(fields.get("id")),
        kind=coerce.text(_current_or_legacy(fields, "type", "command_type")).lower(),
        status=coerce.text(fields.get("status")),
        device_id=coerce.identifier(fields.get("device_id")),
        registration_id=coerce.identifier(fields.get("registration_id")),
        args=tuple(sorted((key, coerce.text(value)) for key, value in args.items())) if isinstance(args, dict) else (),
    )


def listed_command(fields: Fields) -> ListedCommand:
    filename = fields.get("filename")
    return ListedCommand(
        id=coerce.identifier(fields.get("id")),
        kind=coerce.text(_current_or_legacy(fields, "type", "command_type")).lower(),
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
        raise Unreadable(call, "Cloudflare's response has no quota.", status=200)
    return QuotaReading(
        total=coerce.count(fields.get("quota")),
        used=coerce.count(fields.get("quota_usage")),
        reset_at=coerce.instant(fields.get("reset_time")),
        date=date,
    )


def _current_or_legacy(fields: Fields, current: str, legacy: str) -> Json:
    value = fields.get(current)
    return fields.get(legacy) if value is None else value
