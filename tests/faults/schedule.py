"""When what is done to whom in a fault run: seeded, printed, kept and replayed. Knows no process."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.faults import rules
from tests.faults.rules import Rule

SCHEDULES = Path(__file__).resolve().parent / "schedules"
LEASE = 4.0  # seconds; DISPATCH_LEASE of settings.py
ACCOUNT = "0123456789abcdef0123456789abcdef"  # the simulator's first
HELD_AT_MOST = 8.0  # twice the lease; more than it and ADOPT_AFTER together no design could bear (docs/delivery.md)


@dataclass(frozen=True)
class Step:
    """`at` and `lasting` in seconds. `act` is one of player.py's; `whom` a program or a manner."""

    at: float
    act: str
    whom: str = ""
    lasting: float = 0.0
    rules: tuple[Rule, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.at:7.2f} s  {self.act} {self.whom}"]
        parts += [f"for {self.lasting:.1f} s"] if self.lasting else []
        parts += [json.dumps(one) for one in (*self.rules, *([dict(self.values)] if self.values else []))]
        return " ".join(parts)


@dataclass(frozen=True)
class Schedule:
    """`commands`, `accounts` and `seed` make the same questions again; the steps do the same to the same."""

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
    """One cycle after another, each with every fault there is, in an order of its own."""
    number = 0
    while True:
        yield cycle(Random(f"{seed}/{number}"), number * length, length)
        number += 1


def cycle(rng: Random, start: float, length: float) -> list[Step]:
    """Each fault of the simulator for a while, a few at a time; between them what is done to our own processes."""
    kinds = rng.sample(rules.KINDS, len(rules.KINDS))
    apart = length / len(kinds)
    steps = [
        Step(
            round(start + apart * turn, 2),
            "fault",
            kind,
            round(apart * rng.uniform(2, 5), 2),
            tuple(rules.rules(kind, rng)),
        )
        for turn, kind in enumerate(kinds)
    ]
    acts = [make(rng) for make in _ACTS]
    rng.shuffle(acts)
    apart = length / len(acts)
    steps += [Step(round(start + apart * (turn + rng.random()), 2), **act) for turn, act in enumerate(acts)]
    steps.append(
        Step(round(start + length * rng.uniform(0.02, 0.2), 2), "database", "after_post")
    )  # while POSTs go out
    return sorted(steps, key=lambda step: step.at)


type Act = dict[str, Any]


def _signal(act: str, *whom: str) -> Callable[[Random], Act]:
    return lambda rng: {"act": act, "whom": rng.choice(whom)}


def _held(*whom: str) -> Callable[[Random], Act]:
    """Stopped for longer than the lease."""
    return lambda rng: {
        "act": "hold",
        "whom": rng.choice(whom),
        "lasting": round(rng.uniform(LEASE + 0.5, HELD_AT_MOST), 1),
    }


def _service(act: str, how: str, longest: float = 0.0) -> Callable[[Random], Act]:
    return lambda rng: {"act": act, "whom": how, "lasting": round(rng.uniform(longest / 2, longest), 1)}


def _world(**changes: Any) -> Callable[[Random], Act]:
    """Cloudflare in one of the ways that its documentation leaves open."""
    return lambda rng: {"act": "world", "lasting": round(rng.uniform(3, 6), 1), "values": changes}


def _clock(*whom: str) -> Callable[[Random], Act]:
    """A worker's own clock jumps, far beyond every window, and back again."""
    return lambda rng: {
        "act": "clock",
        "whom": rng.choice(whom),
        "lasting": round(rng.uniform(3, 6), 1),
        "values": {"off": rng.choice((-1, 1)) * rng.randrange(20, 60)},
    }


def _refused(rng: Random) -> Act:
    """Cloudflare takes no POST of one account for longer than HOLD_AFTER: what waited is held until a person comes."""
    match = {"call": "create", "account_id": ACCOUNT}
    rule: Rule = {"match": match, "effect": {"kind": "error", "status": 403}}
    return {"act": "refuse", "whom": "create", "lasting": round(rng.uniform(12, 14), 1), "rules": (rule,)}


TALK, FETCH, BEAT = ("talk-1", "talk-2"), ("fetch-1", "fetch-2"), ("beat-1", "beat-2")

_ACTS: tuple[Callable[[Random], Act], ...] = (
    _signal("kill", *TALK),
    _signal("kill", *TALK, *FETCH),
    _signal("kill", *FETCH),
    _signal("kill", *BEAT),
    _signal("kill", "web"),
    _signal("end", *TALK),
    _signal("end", *FETCH, *BEAT),
    _signal("end", "web"),
    _held(*TALK),
    _held(*TALK),
    _held(*FETCH, *BEAT),
    _service("redis", "flush"),
    _service("redis", "restart"),
    _service("redis", "refuse", 4),
    _service("redis", "hang", 4),
    _service("database", "restart", 1),
    _service("database", "crash", 2),
    _service("upstream", "hang", 3),
    _service("disk", "full", 5),
    _service("disk", "store", 5),
    _refused,
    _clock(*TALK),
    _clock(*FETCH),
    lambda rng: {"act": "world", "lasting": 4.0, "values": {"clock_offset": round(rng.uniform(-0.8, 0.8), 2)}},
    _world(rejection="item", shuffle_answer=True),
    _world(failure_share=0.3),
    _world(range_ends="exclusive"),
    lambda rng: {"act": "foreign", "values": {"count": rng.randrange(3, 10), "seed": rng.randrange(10**6)}},
    lambda rng: {"act": "foreign", "values": {"count": rng.randrange(3, 10), "seed": rng.randrange(10**6)}},
)
