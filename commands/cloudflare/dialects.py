"""The two forms of the body of a POST. Pure. AUTO begins with the newer one."""

import json
from collections.abc import Sequence

from commands.cloudflare.types import Dialect, Json, NewCommand, Option

# Kinds that the older form can name.
LEGACY_KINDS = frozenset({"pcap", "warp-diag"})
MAX_ITEMS = 20


def body(items: Sequence[NewCommand], dialect: Dialect) -> bytes:
    return json.dumps({"commands": commands(items, dialect)}, allow_nan=False).encode()


def commands(items: Sequence[NewCommand], dialect: Dialect) -> list[dict[str, Json]]:
    return [_item(item, dialect) for item in items]


def can_express(items: Sequence[NewCommand], dialect: Dialect) -> bool:
    return dialect is not Dialect.LEGACY or all(item.kind in LEGACY_KINDS for item in items)


def _item(item: NewCommand, dialect: Dialect) -> dict[str, Json]:
    legacy = dialect is Dialect.LEGACY
    fields: dict[str, Json] = {
        "device_id": item.device_id,
        "user_email": item.user_email,
        "command_type" if legacy else "type": item.kind,
    }
    if item.registration_id:
        fields["registration_id"] = item.registration_id
    if item.options:  # an empty object matches three closed schemas at once
        fields["command_args" if legacy else "args"] = {key: _option(value) for key, value in item.options.items()}
    return fields


def _option(value: Option) -> Json:
    return value if isinstance(value, int | str) else list(value)
