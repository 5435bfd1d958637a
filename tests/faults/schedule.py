"""Schedules of faults: generated from a seed, printed, saved and replayed. This module must not know any process."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.faults import fault_rules
from tests.faults.fault_rules import Rule

SCHEDULES = Path(__file__).resolve().parent / "schedules"
LEASE = 4.0  # seconds; DISPATCH_LEASE of settings.py
FIRST_ACCOUNT = "0123456789abcdef0123456789abcdef"  # of the simulator
MAX_SUSPENSION = 8.0  # twice the lease; the design cannot bear more than lease plus ADOPT_AFTER (docs/delivery.md)


@dataclass(frozen=True)
class Step:
    """Step of a schedule. `at` and `duration` are in seconds.

    `action` is a handler of the fault injector, and `target` a program or the manner of the action.
    """

    at: float
    action: str
    target: str = ""
    duration: float = 0.0
    rules: tuple[Rule, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.at:7.2f} s  {self.action} {self.target}"]
        parts += [f"for {self.duration:.1f} s"] if self.duration else []
        parts += [json.dumps(part) for part in (*self.rules, *([dict(self.values)] if self.values else []))]
        return " ".join(parts)


@dataclass(frozen=True)
class Schedule:
    """Saved run. `commands`, `accounts` and `seed` reproduce the workload, and `steps` the faults."""

    commands: int
    accounts: int
    seed: int
    steps: tuple[Step, ...]
    kill_at: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def read(cls, path: Path) -> "Schedule":
        data = json.loads(path.read_text())
        steps = tuple(Step(**{**step, "rules": tuple(step["rules"])}) for step in data.pop("steps"))
        return cls(steps=steps, **data)


def cycles(seed: int, length: float) -> Iterator[list[Step]]:
    """Yield cycle after cycle, each with every fault in its own order."""
    number = 0
    while True:
        yield cycle(Random(f"{seed}/{number}"), number * length, length)
        number += 1


def cycle(rng: Random, start: float, length: float) -> list[Step]:
    """Activate each fault of the simulator for a while, a few at a time, and disturb our own processes in between."""
    kinds = rng.sample(fault_rules.KINDS, len(fault_rules.KINDS))
    apart = length / len(kinds)
    steps = [
        Step(
            round(start + apart * position, 2),
            "fault",
            kind,
            round(apart * rng.uniform(2, 5), 2),
            tuple(fault_rules.rules_for(kind, rng)),
        )
        for position, kind in enumerate(kinds)
    ]
    actions = [make(rng) for make in _ACTIONS]
    rng.shuffle(actions)
    apart = length / len(actions)
    steps += [
        Step(round(start + apart * (position + rng.random()), 2), **action) for position, action in enumerate(actions)
    ]
    # Early in the cycle, while commands are being sent.
    steps.append(Step(round(start + length * rng.uniform(0.02, 0.2), 2), "database", "after_post"))
    return sorted(steps, key=lambda step: step.at)


type ActionValues = dict[str, Any]


def _signal(action: str, *target: str) -> Callable[[Random], ActionValues]:
    return lambda rng: {"action": action, "target": rng.choice(target)}


def _suspend(*target: str) -> Callable[[Random], ActionValues]:
    """Suspend a process for longer than the lease."""
    return lambda rng: {
        "action": "suspend",
        "target": rng.choice(target),
        "duration": round(rng.uniform(LEASE + 0.5, MAX_SUSPENSION), 1),
    }


def _disrupt(action: str, manner: str, longest: float = 0.0) -> Callable[[Random], ActionValues]:
    return lambda rng: {"action": action, "target": manner, "duration": round(rng.uniform(longest / 2, longest), 1)}


def _change_world(**changes: Any) -> Callable[[Random], ActionValues]:
    """Change a behaviour of Cloudflare that its documentation leaves open."""
    return lambda rng: {"action": "world", "duration": round(rng.uniform(3, 6), 1), "values": changes}


def _jump_clock(*target: str) -> Callable[[Random], ActionValues]:
    """Move a worker's clock far beyond every window, and back again."""
    return lambda rng: {
        "action": "clock",
        "target": rng.choice(target),
        "duration": round(rng.uniform(3, 6), 1),
        "values": {"offset": rng.choice((-1, 1)) * rng.randrange(20, 60)},
    }


def _refuse_account(rng: Random) -> ActionValues:
    """Refuse all POSTs of one account for longer than HOLD_AFTER, so that its queued commands are put on hold."""
    match = {"call": "create", "account_id": FIRST_ACCOUNT}
    rule: Rule = {"match": match, "effect": {"kind": "error", "status": 403}}
    return {"action": "refuse", "target": "create", "duration": round(rng.uniform(12, 14), 1), "rules": (rule,)}


TALK, FETCH, BEAT = ("talk-1", "talk-2"), ("fetch-1", "fetch-2"), ("beat-1", "beat-2")

_ACTIONS: tuple[Callable[[Random], ActionValues], ...] = (
    _signal("kill", *TALK),
    _signal("kill", *TALK, *FETCH),
    _signal("kill", *FETCH),
    _signal("kill", *BEAT),
    _signal("kill", "web"),
    _signal("terminate", *TALK),
    _signal("terminate", *FETCH, *BEAT),
    _signal("terminate", "web"),
    _suspend(*TALK),
    _suspend(*TALK),
    _suspend(*FETCH, *BEAT),
    _disrupt("redis", "flush"),
    _disrupt("redis", "restart"),
    _disrupt("redis", "refuse", 4),
    _disrupt("redis", "hang", 4),
    _disrupt("database", "restart", 1),
    _disrupt("database", "crash", 2),
    _disrupt("upstream", "hang", 3),
    _disrupt("disk", "full", 5),
    _disrupt("disk", "store", 5),
    _refuse_account,
    _jump_clock(*TALK),
    _jump_clock(*FETCH),
    lambda rng: {"action": "world", "duration": 4.0, "values": {"clock_offset": round(rng.uniform(-0.8, 0.8), 2)}},
    _change_world(rejection="item", shuffle_answer=True),
    _change_world(failure_share=0.3),
    _change_world(range_ends="exclusive"),
    lambda rng: {"action": "foreign", "values": {"count": rng.randrange(3, 10), "seed": rng.randrange(10**6)}},
    lambda rng: {"action": "foreign", "values": {"count": rng.randrange(3, 10), "seed": rng.randrange(10**6)}},
)
