"""Plan of a run: what would happen to each target if it were sent now, in calls and in quota.

A plan is made from facts of our own tables and the time. It sends and promises nothing: the claim decides. It knows no
policy and no right.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from commands.rules.kinds import CAPTURES, SPECS, Kind
from commands.rules.targeting import ListedDevice, Target

OLDEST_CLIENT = (2024, 12, 492, 0)
OLDEST_MULTI_USER_CLIENT = (2025, 6, 1400, 0)


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Facts of our own tables about a target.

    `is_listed` tells that Cloudflare lists this registration today. `machine_registrations` counts those of the
    machine. `open_kinds` are the kinds of all open commands on the machine, also of those started elsewhere.
    """

    target: Target
    is_listed: bool = True
    platform: str = ""
    client_version: str = ""
    eligible: bool | None = None
    ineligible_reason: str = ""
    seen_at: datetime | None = None
    machine_registrations: int = 1
    open_kinds: Collection[Kind] = frozenset()

    @classmethod
    def of(
        cls,
        device: ListedDevice,
        target: Target | None = None,
        *,
        machine_registrations: int = 1,
        open_kinds: Collection[Kind] = frozenset(),
    ) -> Self:
        """Return the facts of a listed device, for a target that may differ from its row in the registration."""
        return cls(
            target=target or device.target,
            platform=device.platform,
            client_version=device.client_version,
            eligible=device.eligible,
            ineligible_reason=device.ineligible_reason,
            seen_at=device.seen_at,
            machine_registrations=machine_registrations,
            open_kinds=open_kinds,
        )

    @property
    def is_multi_user(self) -> bool:
        return self.machine_registrations > 1

    @property
    def least_client(self) -> tuple[int, ...]:
        """Oldest client version that can run commands on this machine."""
        return OLDEST_MULTI_USER_CLIENT if self.is_multi_user else OLDEST_CLIENT


@dataclass(frozen=True, slots=True)
class PlanQuota:
    """Commands a day. `used` includes what we claimed since Cloudflare's reading. None is unknown."""

    used: int | None = None
    total: int | None = None

    @property
    def left(self) -> int | None:
        return None if self.used is None or self.total is None else max(0, self.total - self.used)


@dataclass(frozen=True, slots=True)
class PlanLimits:
    devices_per_post: int = 10
    seen_within: timedelta = timedelta(hours=1)


class Verdict(StrEnum):
    READY = "ready"
    ALREADY_RUNNING = "already_running"
    OFFLINE = "offline"
    UNLISTED = "unlisted"
    NEEDS_REGISTRATION = "needs_registration"
    CLIENT_TOO_OLD = "client_too_old"
    INELIGIBLE = "ineligible"
    OVER_QUOTA = "over_quota"


SENT = frozenset({Verdict.READY, Verdict.ALREADY_RUNNING, Verdict.OFFLINE, Verdict.UNLISTED})
"""Verdicts with which a command is sent, at once or behind what runs."""

SKIPPED = frozenset({Verdict.NEEDS_REGISTRATION, Verdict.CLIENT_TOO_OLD, Verdict.INELIGIBLE})
"""Verdicts with which no command is created, because Cloudflare would refuse it. One over quota waits instead."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kind on one target. `after` is the kind that has to finish first: running already, or of this run."""

    kind: Kind
    verdict: Verdict
    after: Kind | None = None

    @property
    def is_sent(self) -> bool:
        return self.verdict in SENT


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One target with a step for each kind. `unseen` is how long the device has been offline, None if always."""

    facts: TargetFacts
    steps: tuple[Step, ...]
    unseen: timedelta | None = None

    @property
    def target(self) -> Target:
        return self.facts.target

    @property
    def is_skipped(self) -> bool:
        """Tell whether Cloudflare would refuse the device, whatever the kind."""
        return any(step.verdict in SKIPPED for step in self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    lines: tuple[PlanLine, ...]
    calls: int  # the least number of POSTs
    quota: PlanQuota

    @property
    def sent(self) -> int:
        """Number of commands that would be sent today."""
        return sum(step.is_sent for line in self.lines for step in line.steps)

    @property
    def skipped(self) -> tuple[PlanLine, ...]:
        return tuple(line for line in self.lines if line.is_skipped)

    @property
    def sendable(self) -> tuple[PlanLine, ...]:
        return tuple(line for line in self.lines if not line.is_skipped)


def in_order(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """Sort kinds as one device gets them. The diag goes first."""
    wanted = set(kinds)
    return tuple(kind for kind in SPECS if kind in wanted)


def make_plan(
    targets: Sequence[TargetFacts],
    kinds: Iterable[Kind],
    *,
    quota: PlanQuota,
    now: datetime,
    limits: PlanLimits | None = None,
) -> Plan:
    """Plan every kind for every target, in the order of the targets, which are different registrations."""
    limits = limits or PlanLimits()
    ordered = in_order(kinds)
    left = quota.left
    lines: list[PlanLine] = []
    for facts in targets:
        unseen = None if facts.seen_at is None else now - facts.seen_at
        verdict = _device_verdict(facts, unseen, limits)
        steps: list[Step] = []
        for kind in ordered:
            step = _step(facts, verdict, kind, ordered)
            if left is not None and step.is_sent:
                if left == 0:
                    step = Step(kind, Verdict.OVER_QUOTA)
                else:
                    left -= 1
            steps.append(step)
        lines.append(PlanLine(facts, tuple(steps), unseen))
    return Plan(tuple(lines), _calls(lines, ordered, limits), quota)


def _step(facts: TargetFacts, verdict: Verdict, kind: Kind, planned: Sequence[Kind]) -> Step:
    if verdict not in SENT:
        return Step(kind, verdict)
    if running := next((other for other in SPECS if _blocks(facts, other, kind)), None):
        return Step(kind, Verdict.ALREADY_RUNNING, after=running)
    ahead = [other for other in planned[: planned.index(kind)] if _excludes(facts, other, kind)]
    return Step(kind, verdict, after=ahead[-1] if ahead else None)


def _device_verdict(facts: TargetFacts, unseen: timedelta | None, limits: PlanLimits) -> Verdict:
    if facts.is_multi_user and not facts.target.registration_id:
        return Verdict.NEEDS_REGISTRATION
    if not facts.is_listed:
        return Verdict.UNLISTED
    if facts.eligible is False:
        return Verdict.INELIGIBLE
    if is_older(facts.client_version, facts.least_client):
        return Verdict.CLIENT_TOO_OLD
    return Verdict.OFFLINE if unseen is None or unseen > limits.seen_within else Verdict.READY


def _blocks(facts: TargetFacts, running: Kind, kind: Kind) -> bool:
    return running in facts.open_kinds and (running == kind or _excludes(facts, running, kind))


def _excludes(facts: TargetFacts, kind: Kind, other: Kind) -> bool:
    """Tell whether two kinds cannot run together. Windows runs one capture at a time."""
    return facts.platform == "windows" and kind in CAPTURES and other in CAPTURES


def _calls(lines: Iterable[PlanLine], kinds: Iterable[Kind], limits: PlanLimits) -> int:
    """Count the POSTs. One holds one kind, one command a machine and so many devices. An unlisted device goes alone."""
    sent = [(step.kind, line.facts) for line in lines for step in line.steps if step.is_sent]
    calls = 0
    for kind in kinds:
        targets = [facts for sent_kind, facts in sent if sent_kind == kind]
        machines = Counter(facts.target.device_id for facts in targets if facts.is_listed)
        full = -(-machines.total() // limits.devices_per_post)
        calls += max(full, *machines.values(), 0) + sum(not facts.is_listed for facts in targets)
    return calls


def is_older(version: str, least: Sequence[int]) -> bool:
    """Compare versions by their numbers. A version that does not begin with a number is never older."""
    match = re.match(r"\d+(?:\.\d+)*", version, re.ASCII)
    if match is None:
        return False
    parts = [int(part) for part in match[0].split(".")]
    return parts + [0] * (len(least) - len(parts)) < list(least)
