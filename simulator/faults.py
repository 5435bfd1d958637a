"""Which faults hit a request: rules that match by call, path, turn and chance. Says what to do; does nothing itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random

from simulator.calls import CALL_NAMES, Call
from simulator.typed import BadInputError, as_list, as_object, as_whole, overlay

# `docs/simulator.md` says what each does and which parameters it has.
EFFECTS = (
    # carried out at another time, or not answered
    "latency",
    "hang",
    "reset",
    "accepted_late",
    "error",
    "throttle",
    "success_false",
    "redirect",
    # by somebody else
    "foreign_twin",
    # what an answer says
    "listing_lag",
    "missing_rows",
    "repeated_rows",
    "reordered_rows",
    "status_back",
    "unknown_status",
    "created_date_absent",
    "created_date_skewed",
    "registration_absent",
    "field_absent",
    "item_missing",
    "filename_url",
    "null_result",
    "odd_analysis",
    # bytes and headers
    "truncated_json",
    "invalid_json",
    "html_body",
    "date_off",
    "gzip",
    "no_etag",
    "weak_etag",
    "cut_short",
    "drip",
    "wrong_length",
)


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
