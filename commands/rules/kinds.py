"""The kinds of command: what each takes, within which bounds, what it brings back, and by when.

Owns Cloudflare's option names, defaults and ceilings, and the words for people that go with them. Pure: no
model, no clock, no setting (raised ceilings and scaled durations are the caller's). It must not know who may
run what.

How to add a kind:
1. a value of `Kind` (Cloudflare's word for it);
2. its `KindSpec` in `SPECS`, at the place in which it goes when one device gets several;
3. its section in the reader (`commands/artifacts/`), and what the simulator brings back for it;
4. a preset, if the desk should offer one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What Cloudflare calls it; the order is the one in which people are offered it."""

    PCAP = "pcap"
    WARP_DIAG = "warp-diag"
    SPEED_TEST = "speed-test"


class OptionType(StrEnum):
    WHOLE_NUMBER = "whole number"
    SWITCH = "switch"
    CHOICES = "choices"  # any number of a closed set, in its order


type OptionValue = int | bool | list[str]
"""As JSON keeps it, so that what comes back from the database equals what was put in."""

type Options = Mapping[str, OptionValue]
type Ceilings = Mapping[tuple[str, str], int]  # by kind and option


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a kind. `current` and `legacy` tell which dialects of the API know it."""

    name: str  # on the wire
    label: str
    type: OptionType
    unit: str = ""
    default: int | bool | None = None  # Cloudflare's; None: it documents none, and the key is left out
    least: int | None = None
    ceiling: int | None = None  # documented today; may be raised
    choices: tuple[str, ...] = ()
    help: str = ""
    warning: str = ""
    warns_below: int = 0
    current: bool = True
    legacy: bool = True

    def warning_for(self, value: OptionValue) -> str:
        """A sentence where this number is likely to disappoint, else ''."""
        return self.warning if isinstance(value, int) and value < self.warns_below else ""


@dataclass(frozen=True, slots=True)
class KindSpec:
    kind: Kind
    label: str
    sentence: str
    options: tuple[Option, ...]
    expected_files: tuple[str, ...]
    is_capture: bool  # Windows runs one capture at a time
    legacy: bool  # the older dialect knows this kind
    run_time: Callable[[Options], timedelta]  # the longest that the device itself works

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)


_MINUTES = Option(
    "time-limit-min",
    "Duration",
    OptionType.WHOLE_NUMBER,
    unit="min",
    default=5,
    least=1,
    ceiling=10,
    help="The capture ends after this time.",
)
_MEGABYTES = Option(
    "max-file-size-mb",
    "Largest file",
    OptionType.WHOLE_NUMBER,
    unit="MB",
    default=5,
    least=1,
    ceiling=50,
    help="A file that grows larger is not uploaded at all.",
    warning="A busy device fills this within a minute, and a larger file is not uploaded at all.",
    warns_below=20,
)
_BYTES = Option(
    "packet-size-bytes",
    "Bytes of each packet",
    OptionType.WHOLE_NUMBER,
    unit="bytes",
    default=160,
    least=1,
    ceiling=1500,
    help="160 hold the headers; names and certificates need 1500.",
    warning="Fewer than 64 bytes cut into the headers, and little can be read from them.",
    warns_below=64,
)
_DIAG_MEGABYTES = Option(
    "max-file-size-mb",
    "Largest file",
    OptionType.WHOLE_NUMBER,
    unit="MB",
    least=1,
    ceiling=100,
    help="A larger bundle is not uploaded at all; without a limit of yours, Cloudflare's is 100 MB.",
    warning="A bundle with full logs is often larger, and then it is not uploaded at all.",
    warns_below=20,
    current=False,
)
_ALL_ROUTES = Option(
    "test-all-routes",
    "All routes",
    OptionType.SWITCH,
    default=True,
    help="Tests an address of every included and excluded range; it takes longer.",
)


def _interfaces(*, current: bool) -> Option:
    return Option(
        "interfaces",
        "Interfaces",
        OptionType.CHOICES,
        choices=("default", "tunnel"),
        help="The device's own connection, the tunnel to Cloudflare, or both.",
        current=current,
        legacy=not current,
    )


def _capture_time(options: Options) -> timedelta:
    minutes = options.get(_MINUTES.name)
    return timedelta(minutes=minutes if isinstance(minutes, int) else _MINUTES.ceiling or 0)


def _diag_time(options: Options) -> timedelta:
    return timedelta(minutes=5 if options.get(_ALL_ROUTES.name) is False else 10)


SPECS: Mapping[Kind, KindSpec] = MappingProxyType(
    {
        Kind.WARP_DIAG: KindSpec(
            Kind.WARP_DIAG,
            "WARP diag",
            "Collects the client's state, its logs and the device's network settings, also of the past days.",
            (_ALL_ROUTES, _DIAG_MEGABYTES),
            ("warp-status.txt", "warp-settings.txt", "daemon.log", "connectivity.txt", "version.txt"),
            is_capture=True,
            legacy=True,
            run_time=_diag_time,
        ),
        Kind.PCAP: KindSpec(
            Kind.PCAP,
            "Packet capture",
            "Records the device's network packets from now on, outside and inside the tunnel.",
            (_MINUTES, _MEGABYTES, _BYTES, _interfaces(current=False)),
            ("capture-default.pcap", "capture-tunnel.pcap", "results.json"),
            is_capture=True,
            legacy=True,
            run_time=_capture_time,
        ),
        Kind.SPEED_TEST: KindSpec(
            Kind.SPEED_TEST,
            "Speed test",
            "Measures download, upload and latency from the device.",
            (_interfaces(current=True),),
            (),
            is_capture=False,
            legacy=False,
            run_time=lambda _options: timedelta(minutes=5),
        ),
    }
)
"""In the order in which they go when one device gets several: the diag first, it looks back."""

CAPTURES = frozenset(kind for kind, spec in SPECS.items() if spec.is_capture)

DOCUMENTED_CEILINGS: Ceilings = MappingProxyType(
    {
        (kind, option.name): option.ceiling
        for kind, spec in SPECS.items()
        for option in spec.options
        if option.ceiling is not None
    }
)

OFFLINE_TIMEOUT = timedelta(minutes=10)  # Cloudflare gives up on a device that is not connected
UPLOAD_ALLOWANCE = timedelta(minutes=15)  # 100 MB over 1 Mbit/s


def deadline(
    kind: Kind,
    options: Options,
    *,
    offline: timedelta = OFFLINE_TIMEOUT,
    upload: timedelta = UPLOAD_ALLOWANCE,
) -> timedelta:
    """How long after sending nothing more is to be expected; options that are not known count as longest."""
    return offline + SPECS[kind].run_time(options) + upload


def options_of(kind: Kind, *, legacy: bool = False) -> tuple[Option, ...]:
    """The options that this dialect of the API knows."""
    return tuple(option for option in SPECS[kind].options if (option.legacy if legacy else option.current))


def on_the_wire(kind: Kind, options: Options, *, legacy: bool = False) -> dict[str, OptionValue]:
    """What of these options goes into a request of this dialect. Empty: leave the key out."""
    known = {option.name for option in options_of(kind, legacy=legacy)}
    return {name: value for name, value in options.items() if name in known}


def clean_options(
    kind: Kind, raw: Mapping[str, object], ceilings: Ceilings = DOCUMENTED_CEILINGS
) -> tuple[dict[str, OptionValue], dict[str, str]]:
    """(options, sentences by option name). What is absent or empty takes Cloudflare's default, spelled out.

    Numbers and switches may come as text, choices as a list or as text with commas.
    """
    spec = SPECS[kind]
    options: dict[str, OptionValue] = {}
    errors = {name: f"{spec.label} has no option “{name}”." for name in raw if spec.option(name) is None}
    for option in spec.options:
        given = raw.get(option.name)
        if given is None or given in ("", [], ()):
            if option.default is not None:
                options[option.name] = option.default
            continue
        try:
            options[option.name] = _read(option, given, ceilings.get((kind, option.name), option.ceiling))
        except ValueError as problem:
            errors[option.name] = str(problem)
    return options, errors


def _read(option: Option, given: object, ceiling: int | None) -> OptionValue:
    """ValueError: a sentence for the person who typed it."""
    match option.type:
        case OptionType.WHOLE_NUMBER:
            return _number(option, given, ceiling)
        case OptionType.SWITCH:
            return _switch(option, given)
        case OptionType.CHOICES:
            return _choices(option, given)


def _number(option: Option, given: object, ceiling: int | None) -> int:
    text = str(given).strip()
    if isinstance(given, bool) or not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 9:
        raise ValueError(f"{option.label} takes a whole number ({option.unit}).")
    number = int(text)
    if option.least is not None and number < option.least:
        raise ValueError(f"{option.label} is at least {option.least} {option.unit}.")
    if ceiling is not None and number > ceiling:
        raise ValueError(f"{option.label} is at most {ceiling} {option.unit}.")
    return number


_SWITCH_WORDS = {"true": True, "on": True, "yes": True, "1": True}
_SWITCH_WORDS |= {"false": False, "off": False, "no": False, "0": False}


def _switch(option: Option, given: object) -> bool:
    word = str(given).strip().lower()
    if word not in _SWITCH_WORDS:
        raise ValueError(f"{option.label} is either on or off.")
    return _SWITCH_WORDS[word]


def _choices(option: Option, given: object) -> list[str]:
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, (list, tuple, set, frozenset)):
        raise ValueError(f"{option.label} takes any of: {', '.join(option.choices)}.")
    picked = {str(item).strip() for item in given}
    if strange := sorted(picked - set(option.choices)):
        raise ValueError(f"{option.label} knows {', '.join(option.choices)}, not {', '.join(strange)}.")
    return [choice for choice in option.choices if choice in picked]


def warnings(kind: Kind, options: Options) -> dict[str, str]:
    """By option name, a sentence where the value is allowed but likely to disappoint."""
    found = {
        option.name: option.warning_for(options[option.name])
        for option in SPECS[kind].options
        if option.name in options
    }
    return {name: sentence for name, sentence in found.items() if sentence}


def describe(kind: Kind, options: Options) -> str:
    """The options on one line, such as “5 min · 50 MB · 160 bytes”; '' where there are none."""
    words = [_words(option, options[option.name]) for option in SPECS[kind].options if option.name in options]
    return " · ".join(word for word in words if word)


def _words(option: Option, value: OptionValue) -> str:
    match option.type:
        case OptionType.WHOLE_NUMBER:
            return f"{value} {option.unit}"
        case OptionType.SWITCH:
            return option.label.lower() if value else f"not {option.label.lower()}"
        case OptionType.CHOICES:
            return " + ".join(value) if isinstance(value, list) else ""
