"""Rules that decide which faults hit a request: by call, method, path, account, count and probability.

This module only picks faults. `app.py`, `payload_faults.py` and `response_writer.py` carry them out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random

from simulator.json_input import BadInputError, as_integer, as_list, as_object, replace_fields
from simulator.routes import CALL_NAMES, Call

# docs/simulator.md describes each kind and its parameters
EFFECTS = (
    # timing and outcome of the call (app.py)
    "latency",
    "hang",
    "reset",
    "accepted_late",
    "error",
    "throttle",
    "success_false",
    "redirect",
    # command of a dashboard user (app.py)
    "foreign_twin",
    # payload of the response (payload_faults.py, listing_lag: app.py)
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
    # bytes, headers and connection (response_writer.py)
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
    """Fault to carry out, and its parameters.

    `when` is before or after the call itself. `seconds` are real, not simulated. `p` is the share of rows to change.
    """

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
    """Conditions of a rule. Empty fields match every request.

    `nth` limits the rule to one of the matching requests, `count` to so many of them.
    """

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
    """Conditions, the fault, and counters of matching requests (`seen`) and of faults (`applied`)."""

    match: Match
    effect: Effect
    seen: int = 0
    applied: int = 0

    def hits(self, call: Call, rng: Random) -> bool:
        """Decide whether the rule applies to this request, and count the request."""
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
    """Rules in their order. Every rule that hits a request applies to it."""

    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    rng: Random = field(default_factory=lambda: Random(0), repr=False)

    @classmethod
    def from_json(cls, value: object) -> Faults:
        data = as_object(value, "faults")
        unknown = set(data) - {"seed", "rules"}
        if unknown:
            raise BadInputError(f"faults: unknown field {sorted(unknown)[0]!r}, known fields are rules, seed")
        seed = as_integer(data.get("seed", 0), "faults.seed")
        items = as_list(data.get("rules", []), "faults.rules")
        rules = [_rule(as_object(item, f"rules[{index}]"), f"rules[{index}]") for index, item in enumerate(items)]
        return cls(seed, rules, Random(seed))

    def to_json(self) -> dict[str, object]:
        return {"seed": self.seed, "rules": [asdict(rule) for rule in self.rules]}

    def pick(self, call: Call) -> tuple[Effect, ...]:
        return tuple(rule.effect for rule in self.rules if rule.hits(call, self.rng))


def _rule(data: Mapping[str, object], name: str) -> Rule:
    """Parse one rule. The counters in the output of `to_json` are ignored, so that a client can send it back."""
    match = replace_fields(Match(), as_object(data.get("match", {}), f"{name}.match"), f"{name}.match")
    if match.call and match.call not in CALL_NAMES:
        raise BadInputError(f"{name}.match.call: one of {', '.join(CALL_NAMES)} is needed")
    try:
        re.compile(match.path)
    except re.error as problem:
        raise BadInputError(f"{name}.match.path: {problem}") from None
    effect = replace_fields(Effect(""), as_object(data.get("effect"), f"{name}.effect"), f"{name}.effect")
    if effect.kind not in EFFECTS:
        raise BadInputError(f"{name}.effect.kind: one of {', '.join(EFFECTS)} is needed")
    if effect.when not in {"before", "after"} or effect.then not in {"hang", "reset", "error"}:
        raise BadInputError(f"{name}.effect: when must be before or after, then must be hang, reset or error")
    return Rule(match, effect)
