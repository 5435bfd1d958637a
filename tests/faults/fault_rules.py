"""Rules for every fault of the simulator, with random parameters: `rules_for(kind, rng)` for each of `KINDS`.

The parameters stay within the limits that the design tolerates (`settings.py`): clock offsets and late landings stay
within the adoption window. Schedules are made elsewhere.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

type Rule = dict[str, Any]

MAX_LATENESS = 3.0  # seconds; stays below ADOPT_AFTER with the skew and the whole seconds of Date
MAX_SKEW = 0.9


def _rule(effect: str, /, *, p: float, call: str = "", **values: Any) -> Rule:
    return {"match": {"call": call, "probability": round(p, 3)}, "effect": {"kind": effect, **values}}


def _create_and_reads(effect: str, p: float) -> Callable[[Random], list[Rule]]:
    """Apply the fault before or after the execution of POSTs, and half as often to one kind of reading call."""

    def make(rng: Random) -> list[Rule]:
        when = rng.choice(("before", "after"))
        return [_rule(effect, p=p, call="create", when=when), _rule(effect, p=p / 2, call=rng.choice(READING))]

    return make


READING = ("list", "devices", "quota", "download")


def _latency(rng: Random) -> list[Rule]:
    return [_rule("latency", p=0.4, call=call, seconds=round(rng.uniform(0.1, 0.9), 2)) for call in ("create", "list")]


def _accepted_late(rng: Random) -> list[Rule]:
    seconds = round(rng.uniform(0.3, MAX_LATENESS), 2)
    return [_rule("accepted_late", p=0.25, call="create", seconds=seconds, then=rng.choice(("hang", "reset", "error")))]


def _error(rng: Random) -> list[Rule]:
    status = rng.choice((500, 502, 503, 520))
    refusal = rng.choice((400, 401, 403, 404, 409))
    return [
        _rule("error", p=0.15, call="create", status=status, when=rng.choice(("before", "after"))),
        _rule("error", p=0.1, call=rng.choice(READING), status=status),
        _rule("error", p=0.02, call=rng.choice(("create", *READING)), status=refusal),
    ]


def _throttle(rng: Random) -> list[Rule]:
    return [_rule("throttle", p=0.03, call=rng.choice(("create", *READING)), seconds=1)]


def _foreign_twin(rng: Random) -> list[Rule]:
    return [_rule("foreign_twin", p=0.2, call="create", when=rng.choice(("before", "after")))]


def _field_absent(rng: Random) -> list[Rule]:
    fields = ("id", "status", "type", "device_id", "user_email", "completed_date", "filename")
    return [_rule("field_absent", p=0.4, call=call, word=rng.choice(fields)) for call in ("list", "create")]


def _skewed(rng: Random) -> list[Rule]:
    return [_rule("created_date_skewed", p=0.6, call="list", seconds=round(rng.uniform(-1, 1) * MAX_SKEW, 2))]


def _date_off(rng: Random) -> list[Rule]:
    return [_rule("date_off", p=0.3, seconds=rng.choice((-1, 1)) * rng.randrange(2, 120))]


def _rows(effect: str, share: float) -> Callable[[Random], list[Rule]]:
    """Apply the fault to this share of the rows, in 60 % of the listings."""
    return lambda _rng: [{"match": {"call": "list", "probability": 0.6}, "effect": {"kind": effect, "p": share}}]


def _any_call(effect: str, p: float, **values: Any) -> Callable[[Random], list[Rule]]:
    return lambda _rng: [_rule(effect, p=p, **values)]


def _of_downloads(effect: str, **values: Any) -> Callable[[Random], list[Rule]]:
    return lambda _rng: [_rule(effect, p=0.5, call="download", **values)]


_MAKERS: Mapping[str, Callable[[Random], list[Rule]]] = {
    "latency": _latency,
    "hang": _create_and_reads("hang", 0.15),
    "reset": _create_and_reads("reset", 0.2),
    "accepted_late": _accepted_late,
    "error": _error,
    "throttle": _throttle,
    "success_false": _create_and_reads("success_false", 0.15),
    "redirect": _any_call("redirect", 0.05),  # only before execution: the client takes a 3xx for "not created"
    "foreign_twin": _foreign_twin,
    "listing_lag": lambda rng: [_rule("listing_lag", p=0.7, call="list", seconds=round(rng.uniform(1, 8), 1))],
    "missing_rows": _rows("missing_rows", 0.3),
    "repeated_rows": _rows("repeated_rows", 0.4),
    "reordered_rows": _any_call("reordered_rows", 0.7),
    "status_back": _rows("status_back", 0.4),
    "unknown_status": _rows("unknown_status", 0.3),
    "created_date_absent": _rows("created_date_absent", 0.4),
    "created_date_skewed": _skewed,
    "registration_absent": _rows("registration_absent", 0.5),
    "field_absent": _field_absent,
    "item_missing": _any_call("item_missing", 0.4, call="create"),
    "filename_url": _rows("filename_url", 0.5),
    "null_result": _any_call("null_result", 0.15),
    "odd_analysis": _any_call("odd_analysis", 1, call="analysis"),
    "truncated_json": _any_call("truncated_json", 0.15),
    "invalid_json": _any_call("invalid_json", 0.15),
    "html_body": _any_call("html_body", 0.15),
    "date_off": _date_off,
    "gzip": _any_call("gzip", 0.5),
    "no_etag": _of_downloads("no_etag"),
    "weak_etag": _of_downloads("weak_etag"),
    "cut_short": _any_call("cut_short", 0.2),
    "drip": _any_call("drip", 0.1, size=512, seconds=0.05),
    "wrong_length": lambda rng: [_rule("wrong_length", p=0.15, delta=rng.choice((-200, -20, 50, 2000)))],
}

KINDS = tuple(_MAKERS)


def rules_for(kind: str, rng: Random) -> list[Rule]:
    return _MAKERS[kind](rng)
