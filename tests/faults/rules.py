"""Every fault of the simulator as rules with chosen numbers: `rules(kind, rng)` for each of `KINDS`.

The numbers stay within what the design promises to bear (`settings.py`): a clock at most as far off as the window of
adoption forgives, a late landing within it. Owns no schedule.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

type Rule = dict[str, Any]

LATE_AT_MOST = 3.0  # seconds; with the skew and Date's whole seconds it stays below ADOPT_AFTER
SKEW_AT_MOST = 0.9


def _rule(effect: str, /, *, p: float, call: str = "", **values: Any) -> Rule:
    return {"match": {"call": call, "probability": round(p, 3)}, "effect": {"kind": effect, **values}}


def _both_ways(effect: str, p: float) -> Callable[[Random], list[Rule]]:
    """Before and after a POST is carried out, and in the way of reading calls."""

    def make(rng: Random) -> list[Rule]:
        when = rng.choice(("before", "after"))
        return [_rule(effect, p=p, call="create", when=when), _rule(effect, p=p / 2, call=rng.choice(READING))]

    return make


READING = ("list", "devices", "quota", "download")


def _latency(rng: Random) -> list[Rule]:
    return [_rule("latency", p=0.4, call=call, seconds=round(rng.uniform(0.1, 0.9), 2)) for call in ("create", "list")]


def _accepted_late(rng: Random) -> list[Rule]:
    seconds = round(rng.uniform(0.3, LATE_AT_MOST), 2)
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
    words = ("id", "status", "type", "device_id", "user_email", "completed_date", "filename")
    return [_rule("field_absent", p=0.4, call=call, word=rng.choice(words)) for call in ("list", "create")]


def _skewed(rng: Random) -> list[Rule]:
    return [_rule("created_date_skewed", p=0.6, call="list", seconds=round(rng.uniform(-1, 1) * SKEW_AT_MOST, 2))]


def _date_off(rng: Random) -> list[Rule]:
    return [_rule("date_off", p=0.3, seconds=rng.choice((-1, 1)) * rng.randrange(2, 120))]


def _rows(effect: str, share: float) -> Callable[[Random], list[Rule]]:
    """In six listings of ten this share of the rows."""
    return lambda _rng: [{"match": {"call": "list", "probability": 0.6}, "effect": {"kind": effect, "p": share}}]


def _any(effect: str, p: float, **values: Any) -> Callable[[Random], list[Rule]]:
    return lambda _rng: [_rule(effect, p=p, **values)]


def _of_downloads(effect: str, **values: Any) -> Callable[[Random], list[Rule]]:
    return lambda _rng: [_rule(effect, p=0.5, call="download", **values)]


_MAKERS: Mapping[str, Callable[[Random], list[Rule]]] = {
    "latency": _latency,
    "hang": _both_ways("hang", 0.15),
    "reset": _both_ways("reset", 0.2),
    "accepted_late": _accepted_late,
    "error": _error,
    "throttle": _throttle,
    "success_false": _both_ways("success_false", 0.15),
    "redirect": _any("redirect", 0.05),  # never after it was carried out: the contract takes a 3xx for "not created"
    "foreign_twin": _foreign_twin,
    "listing_lag": lambda rng: [_rule("listing_lag", p=0.7, call="list", seconds=round(rng.uniform(1, 8), 1))],
    "missing_rows": _rows("missing_rows", 0.3),
    "repeated_rows": _rows("repeated_rows", 0.4),
    "reordered_rows": _any("reordered_rows", 0.7),
    "status_back": _rows("status_back", 0.4),
    "unknown_status": _rows("unknown_status", 0.3),
    "created_date_absent": _rows("created_date_absent", 0.4),
    "created_date_skewed": _skewed,
    "registration_absent": _rows("registration_absent", 0.5),
    "field_absent": _field_absent,
    "item_missing": _any("item_missing", 0.4, call="create"),
    "filename_url": _rows("filename_url", 0.5),
    "null_result": _any("null_result", 0.15),
    "odd_analysis": _any("odd_analysis", 1, call="analysis"),
    "truncated_json": _any("truncated_json", 0.15),
    "invalid_json": _any("invalid_json", 0.15),
    "html_body": _any("html_body", 0.15),
    "date_off": _date_off,
    "gzip": _any("gzip", 0.5),
    "no_etag": _of_downloads("no_etag"),
    "weak_etag": _of_downloads("weak_etag"),
    "cut_short": _any("cut_short", 0.2),
    "drip": _any("drip", 0.1, size=512, seconds=0.05),
    "wrong_length": lambda rng: [_rule("wrong_length", p=0.15, delta=rng.choice((-200, -20, 50, 2000)))],
}

KINDS = tuple(_MAKERS)


def rules(kind: str, rng: Random) -> list[Rule]:
    return _MAKERS[kind](rng)
