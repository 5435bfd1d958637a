"""Which faults hit a request: rules that match by call, path, turn and chance. Says what to do; does nothing itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random

from simulator.calls import CALL_NAMES, Call
from simulator.typed import BadInputError, as_list, as_object, as_whole, overlay

# kind -> what it does; `docs/simulator.md` has the parameters.
EFFECTS: dict[str, str] = {
    "latency": "the request waits before anything happens",
    "hang": "no answer, before or after the call was carried out",
    "reset": "the connection is reset (RST), before or after",
    "accepted_late": "the call is carried out only later, whatever the client does meanwhile",
    "error": "an HTTP error, before or after",
    "throttle": "429 with Retry-After",
    "success_false": "HTTP 200 that says success: false, before or after",
    "redirect": "3xx to another address",
    "foreign_twin": "somebody else starts the same on the same device in the same second",
    "listing_lag": "younger commands are not listed yet",
    "missing_rows": "rows are left out",
    "repeated_rows": "rows come twice",
    "reordered_rows": "rows come in any order",
    "status_back": "a status that was already passed",
    "unknown_status": "a status that nobody documented",
    "created_date_absent": "no created_date",
    "created_date_skewed": "created_date is off",
    "registration_absent": "no registration",
    "field_absent": "some other field is absent",
    "item_missing": "created items are missing from the POST's answer",
    "filename_url": "filename is an absolute URL",
    "null_result": "result is null",
    "odd_analysis": "the analysis is JSON of an unexpected shape",
    "truncated_json": "the body ends early, the length says so",
    "invalid_json": "the body is not JSON",
    "html_body": "an HTML page",
    "date_off": "the Date header is off",
    "gzip": "the body comes gzip-encoded, without ranges",
    "no_etag": "no ETag",
    "weak_etag": "a weak ETag",
    "cut_short": "the connection closes in the middle of the body",
    "drip": "the body comes in small pieces",
    "wrong_length": "Content-Length lies",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """Seconds are real. `p` is the share of rows that is hit; `when` is before or after the call is carried out."""

    kind: str
    when: str = "before"
    seconds: float = 0.0
    p: float = 1.0
    status: int = 500
    code: int = 10013
    message: str = "Simulated failure"
    word: str = ""
    then: str = "hang"
    count: int = 1
    share: float = 0.5
    size: int = 64
    delta: int = 100


@dataclass(frozen=True, slots=True)
class Match:
    """Empty fields match everything. `nth`: only that matching request; `count`: at most that many times."""

    call: str = ""
    method: str = ""
    path: str = ""
    account_id: str = ""
    nth: int = 0
    count: int = 0
    probability: float = 1.0

    def fits(self, call: Call) -> bool:
        return (
            self.call in {"", call.name}
            and self.method in {"", call.method}
            and self.account_id in {"", call.account_id}
            and (not self.path or re.search(self.path, call.path) is not None)
        )


@dataclass(slots=True)
class Rule:
    match: Match
    effect: Effect
    seen: int = 0
    applied: int = 0

    def hits(self, call: Call, rng: Random) -> bool:
        if not self.match.fits(call):
            return False
        self.seen += 1
        if self.match.nth and self.seen != self.match.nth:
            return False
        if self.match.count and self.applied >= self.match.count:
            return False
        if rng.random() >= self.match.probability:
            return False
        self.applied += 1
        return True


@dataclass(slots=True)
class Faults:
    """All rules that hit a request apply, in their order."""

    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    rng: Random = field(default_factory=lambda: Random(0), repr=False)

    @classmethod
    def from_json(cls, value: object) -> Faults:
        data = as_object(value, "faults")
        unknown = set(data) - {"seed", "rules"}
        if unknown:
            raise BadInputError(f"faults: no field {sorted(unknown)[0]!r}; there are rules, seed")
        seed = as_whole(data.get("seed", 0), "faults.seed")
        items = as_list(data.get("rules", []), "faults.rules")
        rules = [_rule(as_object(item, f"rules[{index}]"), f"rules[{index}]") for index, item in enumerate(items)]
        return cls(seed, rules, Random(seed))

    def to_json(self) -> dict[str, object]:
        return {"seed": self.seed, "rules": [asdict(rule) for rule in self.rules]}

    def pick(self, call: Call) -> tuple[Effect, ...]:
        return tuple(rule.effect for rule in self.rules if rule.hits(call, self.rng))


def _rule(data: Mapping[str, object], name: str) -> Rule:
    """Also takes back what `to_json` gave: the counts in it are ignored."""
    match = overlay(Match(), as_object(data.get("match", {}), f"{name}.match"), f"{name}.match")
    if match.call and match.call not in CALL_NAMES:
        raise BadInputError(f"{name}.match.call: one of {', '.join(CALL_NAMES)} is needed")
    try:
        re.compile(match.path)
    except re.error as problem:
        raise BadInputError(f"{name}.match.path: {problem}") from None
    effect = overlay(Effect(""), as_object(data.get("effect"), f"{name}.effect"), f"{name}.effect")
    if effect.kind not in EFFECTS:
        raise BadInputError(f"{name}.effect.kind: one of {', '.join(EFFECTS)} is needed")
    if effect.when not in {"before", "after"} or effect.then not in {"hang", "reset", "error"}:
        raise BadInputError(f"{name}.effect: when is before or after; then is hang, reset or error")
    return Rule(match, effect)
