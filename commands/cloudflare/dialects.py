"""JSON body of the POST that creates commands, in the API's current and in its legacy form.

Cloudflare renamed two fields: `command_type` and `command_args` became `type` and `args`. Accounts may accept either
form or both. `Dialect.AUTO` is no form of its own: callers encode it as CURRENT first.
"""

import json
from collections.abc import Sequence

from commands.cloudflare.types import Dialect, Json, NewCommand, Option

LEGACY_KINDS = frozenset({"pcap", "warp-diag"})  # the only kinds that the legacy form has
MAX_ITEMS = 20  # commands in one POST, by Cloudflare's API document


def body(items: Sequence[NewCommand], dialect: Dialect) -> bytes:
    return json.dumps({"commands": commands(items, dialect)}, allow_nan=False).encode()


def commands(items: Sequence[NewCommand], dialect: Dialect) -> list[dict[str, Json]]:
    return [_item(item, dialect) for item in items]


def can_express(items: Sequence[NewCommand], dialect: Dialect) -> bool:
    """Tell if the dialect has a name for the kind of every command."""
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
    # Omit empty options: `{}` matches three `oneOf` schemas of Cloudflare's API document at once, and so is invalid.
    if item.options:
        fields["command_args" if legacy else "args"] = {key: _option(value) for key, value in item.options.items()}
    return fields


def _option(value: Option) -> Json:
    return value if isinstance(value, int | str) else list(value)
