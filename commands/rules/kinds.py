"""Kinds of command: their options with bounds, and how long they take.

Cloudflare's option names, defaults and ceilings are here, with their labels and help. Raised ceilings and scaled
durations are the caller's. Who may run a kind is in `access.py`.

CONTRIBUTING.md says how to add a kind.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """Cloudflare's words for kinds, in the order of the desk's form."""

    PCAP = "pcap"
    WARP_DIAG = "warp-diag"
    SPEED_TEST = "speed-test"


class OptionType(StrEnum):
    WHOLE_NUMBER = "whole number"
    SWITCH = "switch"
    CHOICES = "choices"  # any number of a closed set, in its order


type OptionValue = int | bool | list[str]
"""Types that JSON has too, so that options are the same after they were stored."""

type Options = Mapping[str, OptionValue]
type Ceilings = Mapping[tuple[str, str], int]  # by kind and option


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a kind. `current` and `legacy` tell which dialects of the API have it."""

    name: str  # on the wire
    label: str
    type: OptionType
    unit: str = ""
    default: int | bool | None = None  # Cloudflare's. None: it documents none, and the key is absent
    least: int | None = None
    ceiling: int | None = None  # documented today; may be raised
    choices: tuple[str, ...] = ()
    help: str = ""
    warning: str = ""
    warns_below: int = 0
    current: bool = True
    legacy: bool = True

    def warning_for(self, value: OptionValue) -> str:
        """Return the warning for a number that is allowed but probably too small, or ''."""
        return self.warning if isinstance(value, int) and value < self.warns_below else ""


@dataclass(frozen=True, slots=True)
class KindSpec:
    kind: Kind
    label: str
    noun: str  # the label within a sentence
    short: str
    sentence: str
    options: tuple[Option, ...]
    is_capture: bool  # Windows runs one capture at a time
    legacy: bool  # the older dialect has this kind
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
    "Maximum file size",
    OptionType.WHOLE_NUMBER,
    unit="MB",
    default=5,
    least=1,
    ceiling=50,
    help="If the capture exceeds this, nothing is uploaded.",
    warning="A busy device can exceed this in a minute.",
    warns_below=20,
)
_BYTES = Option(
    "packet-size-bytes",
    "Bytes per packet",
    OptionType.WHOLE_NUMBER,
    unit="bytes",
    default=160,
    least=1,
    ceiling=1500,
    help="160 keeps headers only. Use 1500 to see host names and certificates.",
    warning="Fewer than 64 bytes cut off parts of the headers, so little can be read.",
    warns_below=64,
)
_DIAG_MEGABYTES = Option(
    "max-file-size-mb",
    "Maximum file size",
    OptionType.WHOLE_NUMBER,
    unit="MB",
    least=1,
    ceiling=100,
    help="If the bundle exceeds this, nothing is uploaded. If empty, Cloudflare's limit of 100 MB applies.",
    warning="A bundle with full logs is often larger.",
    warns_below=20,
    current=False,
)
_ALL_ROUTES = Option(
    "test-all-routes",
    "All routes",
    OptionType.SWITCH,
    default=True,
    help="Also tests every split-tunnel route. Takes longer.",
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
            label="WARP diag",
            noun="WARP diag",
            short="diag",
            sentence="Collects the client's state, recent logs and network settings.",
            options=(_ALL_ROUTES, _DIAG_MEGABYTES),
            is_capture=True,
            legacy=True,
            run_time=_diag_time,
        ),
        Kind.PCAP: KindSpec(
            Kind.PCAP,
            label="Packet capture",
            noun="packet capture",
            short="capture",
            sentence="Records the device's network packets from now on, outside and inside the tunnel.",
            options=(_MINUTES, _MEGABYTES, _BYTES, _interfaces(current=False)),
            is_capture=True,
            legacy=True,
            run_time=_capture_time,
        ),
        Kind.SPEED_TEST: KindSpec(
            Kind.SPEED_TEST,
            label="Speed test",
            noun="speed test",
            short="speed test",
            sentence="Measures download, upload and latency from the device.",
            options=(_interfaces(current=True),),
            is_capture=False,
            legacy=False,
            run_time=lambda _options: timedelta(minutes=5),
        ),
    }
)
"""In the order in which one device gets several. The diag goes first, because it records the past."""

CAPTURES = frozenset(kind for kind, spec in SPECS.items() if spec.is_capture)

DOCUMENTED_CEILINGS: Ceilings = MappingProxyType(
    {
        (kind, option.name): option.ceiling
        for kind, spec in SPECS.items()
        for option in spec.options
        if option.ceiling is not None
    }
)

OFFLINE_TIMEOUT = timedelta(minutes=10)  # then Cloudflare gives up on a device that is not connected
UPLOAD_ALLOWANCE = timedelta(minutes=15)  # 100 MB over 1 Mbit/s


def deadline(
    kind: Kind,
    options: Options,
    *,
    offline: timedelta = OFFLINE_TIMEOUT,
    upload: timedelta = UPLOAD_ALLOWANCE,
) -> timedelta:
    """Return how long after sending a result may still come. Unknown options count as the longest."""
    return offline + SPECS[kind].run_time(options) + upload


def options_of(kind: Kind, *, legacy: bool = False) -> tuple[Option, ...]:
    """Return the options that a dialect of the API has."""
    return tuple(option for option in SPECS[kind].options if (option.legacy if legacy else option.current))


def on_the_wire(kind: Kind, options: Options, *, legacy: bool = False) -> dict[str, OptionValue]:
    """Return the options for a request of a dialect. Where there are none, the request has no key for them."""
    known = {option.name for option in options_of(kind, legacy=legacy)}
    return {name: value for name, value in options.items() if name in known}


class OptionProblemCode(StrEnum):
    UNKNOWN_OPTION = "unknown_option"
    NOT_A_NUMBER = "not_a_number"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    NOT_A_SWITCH = "not_a_switch"
    NOT_CHOICES = "not_choices"
    UNKNOWN_CHOICES = "unknown_choices"


@dataclass(frozen=True, slots=True)
class OptionProblem:
    """Reason why the value of an option can't be used. The sentences are in `wording.options`."""

    code: OptionProblemCode
    kind: Kind
    option: str  # its name on the wire
    limit: int | None = None  # the smallest or the largest number
    unknown: tuple[str, ...] = ()  # given choices that the option doesn't have


@dataclass(frozen=True, slots=True)
class _Field:
    """Option of a kind, with the ceiling that applies here."""

    kind: Kind
    option: Option
    ceiling: int | None

    def problem(
        self, code: OptionProblemCode, *, limit: int | None = None, unknown: Iterable[str] = ()
    ) -> OptionProblem:
        return OptionProblem(code, self.kind, self.option.name, limit, tuple(unknown))


def clean_options(
    kind: Kind, raw: Mapping[str, object], ceilings: Ceilings = DOCUMENTED_CEILINGS
) -> tuple[dict[str, OptionValue], dict[str, OptionProblem]]:
    """Return the options, and the problems by option name. An absent or empty option gets Cloudflare's default.

    Numbers and switches may be text. Choices may be a list, or text with commas.
    """
    spec = SPECS[kind]
    options: dict[str, OptionValue] = {}
    problems = {
        name: OptionProblem(OptionProblemCode.UNKNOWN_OPTION, kind, name) for name in raw if spec.option(name) is None
    }
    for option in spec.options:
        given = raw.get(option.name)
        if given is None or given in ("", [], ()):
            if option.default is not None:
                options[option.name] = option.default
            continue
        value = _read(_Field(kind, option, ceilings.get((kind, option.name), option.ceiling)), given)
        if isinstance(value, OptionProblem):
            problems[option.name] = value
        else:
            options[option.name] = value
    return options, problems


def _read(field: _Field, given: object) -> OptionValue | OptionProblem:
    match field.option.type:
        case OptionType.WHOLE_NUMBER:
            return _number(field, given)
        case OptionType.SWITCH:
            return _switch(field, given)
        case OptionType.CHOICES:
            return _choices(field, given)


def _number(field: _Field, given: object) -> int | OptionProblem:
    text = str(given).strip()
    if isinstance(given, bool) or not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 9:
        return field.problem(OptionProblemCode.NOT_A_NUMBER)
    number, least, ceiling = int(text), field.option.least, field.ceiling
    if least is not None and number < least:
        return field.problem(OptionProblemCode.TOO_SMALL, limit=least)
    if ceiling is not None and number > ceiling:
        return field.problem(OptionProblemCode.TOO_LARGE, limit=ceiling)
    return number


_SWITCH_WORDS = {"true": True, "on": True, "yes": True, "1": True}
_SWITCH_WORDS |= {"false": False, "off": False, "no": False, "0": False}


def _switch(field: _Field, given: object) -> bool | OptionProblem:
    word = str(given).strip().lower()
    return _SWITCH_WORDS.get(word, field.problem(OptionProblemCode.NOT_A_SWITCH))


def _choices(field: _Field, given: object) -> list[str] | OptionProblem:
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, (list, tuple, set, frozenset)):
        return field.problem(OptionProblemCode.NOT_CHOICES)
    picked = {str(item).strip() for item in given}
    if unknown := picked - set(field.option.choices):
        return field.problem(OptionProblemCode.UNKNOWN_CHOICES, unknown=sorted(unknown))
    return [choice for choice in field.option.choices if choice in picked]


def warnings(kind: Kind, options: Options) -> dict[str, str]:
    """Return warnings by option name, for values that are allowed but probably too small."""
    found = {
        option.name: option.warning_for(options[option.name])
        for option in SPECS[kind].options
        if option.name in options
    }
    return {name: sentence for name, sentence in found.items() if sentence}
