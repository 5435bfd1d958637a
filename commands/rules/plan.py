"""What would happen if this were asked now: to each target, in calls and in quota.

Owns the verdicts and their words. Pure: frozen facts from our own tables and the time come in; it sends nothing,
promises nothing (the claim decides), and knows no policy and no right.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from commands.rules.kinds import CAPTURES, SPECS, Kind

MINUTE = timedelta(minutes=1)
OLDEST_CLIENT = (2024, 12, 492, 0)
OLDEST_MULTI_USER_CLIENT = (2025, 6, 1400, 0)


@dataclass(frozen=True, slots=True)
class Target:
    """One registration that somebody named. Not `listed`: nobody but that person says that it exists.

    `machine_registrations`: how many the machine has; `open_kinds`: of all open commands on the machine,
    started elsewhere too.
    """

    device_id: str
    email: str
    registration_id: str = ""
    listed: bool = True
    name: str = ""
    platform: str = ""
    client_version: str = ""
    eligible: bool | None = None
    ineligible_reason: str = ""
    seen_at: datetime | None = None
    machine_registrations: int = 1
    open_kinds: Collection[Kind] = frozenset()

    @property
    def is_multi_user(self) -> bool:
        return self.machine_registrations > 1


@dataclass(frozen=True, slots=True)
class Quota:
    """Commands a day: `used` as read, with what we claimed since. None: nobody knows."""

    used: int | None = None
    total: int | None = None

    @property
    def left(self) -> int | None:
        return None if self.used is None or self.total is None else max(0, self.total - self.used)


@dataclass(frozen=True, slots=True)
class Limits:
    devices_a_post: int = 10
    seen_within: timedelta = timedelta(hours=1)


class Verdict(StrEnum):
    READY = "ready"
    ALREADY_RUNNING = "already running"
    NOT_SEEN = "not seen"
    UNKNOWN = "not known"
    NEEDS_REGISTRATION = "needs a registration"
    CLIENT_TOO_OLD = "client too old"
    INELIGIBLE = "ineligible"
    OVER_QUOTA = "over quota"


SENT = frozenset({Verdict.READY, Verdict.ALREADY_RUNNING, Verdict.NOT_SEEN, Verdict.UNKNOWN})
"""With these verdicts it is sent, at once or behind what runs."""

LEFT_OUT = frozenset({Verdict.NEEDS_REGISTRATION, Verdict.CLIENT_TOO_OLD, Verdict.INELIGIBLE})
"""With these Cloudflare would refuse it: it is not even asked for. What is over quota is, and waits."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kind on one target."""

    kind: Kind
    verdict: Verdict
    words: str

    @property
    def is_sent(self) -> bool:
        return self.verdict in SENT


@dataclass(frozen=True, slots=True)
class Line:
    """One target with a step for each kind."""

    target: Target
    steps: tuple[Step, ...]

    @property
    def is_left_out(self) -> bool:
        """It is the device that stands in the way, whatever the kind."""
        return any(step.verdict in LEFT_OUT for step in self.steps)

    @property
    def words(self) -> str:
        """Of all its steps: what the later ones add to the first."""
        first, *rest = self.steps
        added = {step.words: step.words.removeprefix(f"{first.words}, ") for step in rest if step.words != first.words}
        more = [f"{SPECS[step.kind].label} {added.pop(step.words)}" for step in rest if step.words in added]
        return "; ".join([first.words, *more])


@dataclass(frozen=True, slots=True)
class Plan:
    lines: tuple[Line, ...]
    calls: int  # the least number of POSTs
    quota: Quota

    @property
    def sent(self) -> int:
        return sum(step.is_sent for line in self.lines for step in line.steps)

    @property
    def summary(self) -> str:
        """Such as “2 ready · 1 not seen for 3 h”: devices by what would happen to them."""
        words = Counter(line.words for line in self.lines)
        return " · ".join(f"{count} {word}" for word, count in words.items())

    @property
    def cost(self) -> str:
        """Such as “1 call to Cloudflare · quota 37 → 38 of 200”."""
        calls = f"{self.calls} call{'' if self.calls == 1 else 's'} to Cloudflare"
        if self.quota.used is None:
            return calls
        of = "" if self.quota.total is None else f" of {self.quota.total}"
        return f"{calls} · quota {self.quota.used} → {self.quota.used + self.sent}{of}"


def in_order(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """The order in which one device gets them: the diag goes first."""
    asked = set(kinds)
    return tuple(kind for kind in SPECS if kind in asked)


def plan(
    targets: Sequence[Target],
    kinds: Iterable[Kind],
    *,
    quota: Quota,
    now: datetime,
    limits: Limits | None = None,
) -> Plan:
    """The targets are different registrations; they come out in the order in which they came in."""
    limits = limits or Limits()
    ordered = in_order(kinds)
    left = quota.left
    lines: list[Line] = []
    for target in targets:
        steps: list[Step] = []
        for kind in ordered:
            step = _step(target, kind, ordered, now, limits)
            if left is not None and step.is_sent:
                if left == 0:
                    step = Step(kind, Verdict.OVER_QUOTA, "over today's quota")
                else:
                    left -= 1
            steps.append(step)
        lines.append(Line(target, tuple(steps)))
    return Plan(tuple(lines), _calls(lines, ordered, limits), quota)


def _step(target: Target, kind: Kind, asked: Sequence[Kind], now: datetime, limits: Limits) -> Step:
    verdict, words = _of_device(target, now, limits)
    if verdict not in SENT:
        return Step(kind, verdict, words)
    if running := _in_the_way(target, kind):
        return Step(kind, Verdict.ALREADY_RUNNING, f"after the {running} that is already running")
    ahead = [SPECS[other].label for other in asked[: asked.index(kind)] if _excludes(target, other, kind)]
    return Step(kind, verdict, f"{words}, after the {ahead[-1]}" if ahead else words)


def _of_device(target: Target, now: datetime, limits: Limits) -> tuple[Verdict, str]:
    if target.is_multi_user and not target.registration_id:
        return Verdict.NEEDS_REGISTRATION, "needs a registration: several people use this machine"
    if not target.listed:
        return Verdict.UNKNOWN, "not verified: Cloudflare has not listed it"
    if target.eligible is False:
        because = f": {target.ineligible_reason}" if target.ineligible_reason else ""
        return Verdict.INELIGIBLE, f"ineligible{because}"
    needed = OLDEST_MULTI_USER_CLIENT if target.is_multi_user else OLDEST_CLIENT
    if is_older(target.client_version, needed):
        least = ".".join(map(str, needed))
        return Verdict.CLIENT_TOO_OLD, f"client too old: {target.client_version}, needs {least}"
    return _of_age(None if target.seen_at is None else now - target.seen_at, limits)


def _of_age(unseen: timedelta | None, limits: Limits) -> tuple[Verdict, str]:
    if unseen is None:
        return Verdict.NOT_SEEN, "not seen yet"
    if unseen > limits.seen_within:
        return Verdict.NOT_SEEN, f"not seen for {_ago(unseen)}"
    return Verdict.READY, "ready"


def _in_the_way(target: Target, kind: Kind) -> str:
    """What has to end first, in words; '' if nothing."""
    return next((SPECS[running].label for running in SPECS if _blocks(target, running, kind)), "")


def _blocks(target: Target, running: Kind, kind: Kind) -> bool:
    return running in target.open_kinds and (running == kind or _excludes(target, running, kind))


def _excludes(target: Target, one: Kind, other: Kind) -> bool:
    """Windows runs one capture at a time."""
    return target.platform == "windows" and one in CAPTURES and other in CAPTURES


def _calls(lines: Iterable[Line], kinds: Iterable[Kind], limits: Limits) -> int:
    """A POST holds one kind, one command a machine and so many devices; who is not listed travels alone."""
    sent = [(step.kind, line.target) for line in lines for step in line.steps if step.is_sent]
    calls = 0
    for kind in kinds:
        targets = [target for asked, target in sent if asked == kind]
        machines = Counter(target.device_id for target in targets if target.listed)
        full = -(-machines.total() // limits.devices_a_post)
        calls += max(full, *machines.values(), 0) + sum(not target.listed for target in targets)
    return calls


def is_older(version: str, least: Sequence[int]) -> bool:
    """By numbers, not by letters. A version that does not begin with a number is not judged."""
    found = re.match(r"\d+(?:\.\d+)*", version, re.ASCII)
    if found is None:
        return False
    parts = [int(part) for part in found[0].split(".")]
    return parts + [0] * (len(least) - len(parts)) < list(least)


_UNITS: Mapping[str, timedelta] = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "min": timedelta(minutes=1),
}


def _ago(age: timedelta) -> str:
    unit, length = next(((u, t) for u, t in _UNITS.items() if age >= t), ("min", _UNITS["min"]))
    return f"{max(1, age // length)} {unit}"
