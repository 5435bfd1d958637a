"""Parser for the body of a POST, in both dialects, as strict as Cloudflare's closed schemas.

This module must not create commands or look up devices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.config import Config
from simulator.responses import ApiError

MAX_ITEMS = 20
MAX_DEVICES = 10

# documented maximum of each option
PCAP_MAXIMUMS = {"time-limit-min": 10, "max-file-size-mb": 50, "packet-size-bytes": 1500}
INTERFACES = ("default", "tunnel")

CURRENT_OPTIONS = {
    "pcap": frozenset(PCAP_MAXIMUMS),
    "warp-diag": frozenset({"test-all-routes"}),
    "speed-test": frozenset({"interfaces"}),
}
LEGACY_OPTIONS = {
    "pcap": frozenset(PCAP_MAXIMUMS) | {"interfaces"},
    "warp-diag": frozenset({"test-all-routes", "max-file-size-mb"}),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One requested command. `registration_id` is "" if the client sent none."""

    device_id: str
    registration_id: str
    user_email: str
    kind: str
    options: Mapping[str, object]


def invalid_body(message: str, pointer: str = "") -> ApiError:
    return ApiError(400, 1001, message, pointer=pointer)


def parse_items(body: bytes) -> list[object]:
    """Parse the list of items. Check the number of items and devices, not the items themselves."""
    try:
        parsed = json.loads(body)
    except ValueError:
        raise invalid_body("The request body is not valid JSON") from None
    commands = parsed.get("commands") if isinstance(parsed, dict) else None
    if not isinstance(commands, list):
        raise invalid_body("commands: a list is required", "/commands")
    if not 1 <= len(commands) <= MAX_ITEMS:
        raise invalid_body(f"commands: between 1 and {MAX_ITEMS} items are allowed", "/commands")
    devices = {str(item.get("device_id")) for item in commands if isinstance(item, dict)}
    if len(devices) > MAX_DEVICES:
        raise invalid_body(f"commands: at most {MAX_DEVICES} devices are allowed", "/commands")
    return commands


def parse_item(raw: object, index: int, config: Config) -> Item:
    """Validate one item. ApiError points at the field that is wrong."""
    pointer = f"/commands/{index}"
    if not isinstance(raw, dict):
        raise invalid_body("an object is required", pointer)
    kind_key, args_key, allowed = _dialect_of(raw, config.dialect)
    kind = _text(raw, kind_key, pointer)
    if kind not in allowed:
        raise invalid_body(f"{kind_key}: one of {', '.join(allowed)} is required", f"{pointer}/{kind_key}")
    options = _options(raw, args_key, allowed[kind], f"{pointer}/{args_key}", config)
    return Item(
        device_id=_text(raw, "device_id", pointer),
        registration_id=_text(raw, "registration_id", pointer, required=False),
        user_email=_text(raw, "user_email", pointer).strip().lower(),
        kind=kind,
        options=options,
    )


def _dialect_of(raw: Mapping[str, object], dialect: str) -> tuple[str, str, dict[str, frozenset[str]]]:
    """Return the names of the kind and options fields, and the options that each kind allows."""
    legacy = dialect == "legacy" or (dialect == "both" and "type" not in raw)
    if legacy:
        return "command_type", "command_args", LEGACY_OPTIONS
    return "type", "args", CURRENT_OPTIONS


def _text(raw: Mapping[str, object], key: str, pointer: str, *, required: bool = True) -> str:
    value = raw.get(key, "" if not required else None)
    if not isinstance(value, str) or (required and not value):
        raise invalid_body(f"{key}: a string is required", f"{pointer}/{key}")
    return value


def _options(
    raw: Mapping[str, object], key: str, allowed: frozenset[str], pointer: str, config: Config
) -> Mapping[str, object]:
    if key not in raw:
        return {}
    options = raw[key]
    if not isinstance(options, dict):
        raise invalid_body(f"{key}: an object is required", pointer)
    # `args` is a oneOf of three schemas without required fields: an empty object fits all of them, which is an error
    if not options and key == "args":
        raise invalid_body("args: matches more than one schema", pointer)
    for name, value in options.items():
        if name not in allowed:
            raise invalid_body(f"{key}: {name} is not allowed here", f"{pointer}/{name}")
        problem = _CHECKS[name](value, name, config)
        if problem:
            raise invalid_body(f"{name}: {problem}", f"{pointer}/{name}")
    return options


def _check_number(value: object, name: str, config: Config) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number is required"
    if value < 1:
        return "the least is 1"
    if config.enforce_ceilings and value > PCAP_MAXIMUMS[name]:
        return f"the most is {PCAP_MAXIMUMS[name]}"
    return ""


def _check_flag(value: object, name: str, config: Config) -> str:
    return "" if isinstance(value, bool) else "true or false is required"


def _check_interfaces(value: object, name: str, config: Config) -> str:
    if not isinstance(value, list) or any(item not in INTERFACES for item in value):
        return "a list of default, tunnel is required"
    return ""


# each returns the problem, or ""
_CHECKS: dict[str, Callable[[object, str, Config], str]] = {
    **dict.fromkeys(PCAP_MAXIMUMS, _check_number),
    "test-all-routes": _check_flag,
    "interfaces": _check_interfaces,
}


def stringify_args(options: Mapping[str, object]) -> dict[str, str]:
    """Convert options to the map of strings in a response: 5 to "5", true to "true", lists joined by commas."""
    return {name: _stringify(value) for name, value in options.items()}


def _stringify(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)
