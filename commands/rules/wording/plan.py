"""Sentences about a plan: what would happen to each device, what it costs, and what is skipped."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from commands.rules.kinds import SPECS, Kind
from commands.rules.plan import SKIPPED, Plan, PlanLine, Step, Verdict
from commands.rules.wording import sentence, sentence_for_count
from commands.rules.wording.targets import describe_target


class PlanDetail(StrEnum):
    """Sentences of a verdict that say less or more than its usual one."""

    NEVER_ONLINE = "never_online"
    INELIGIBLE_WITH_MESSAGE = "ineligible_with_message"


class Count(StrEnum):
    CALLS = "calls"


class Unit(StrEnum):
    """Units of an age, the largest one first."""

    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"


SENTENCES: Mapping[Verdict | PlanDetail, str] = {
    Verdict.READY: "ready",
    Verdict.ALREADY_RUNNING: "waits for the {kind} already running",
    Verdict.OFFLINE: "offline for {age}",
    PlanDetail.NEVER_ONLINE: "offline, never connected so far",
    Verdict.UNLISTED: "not verified: Cloudflare doesn't list it",
    Verdict.NEEDS_REGISTRATION: "shared device: say which user",
    Verdict.CLIENT_TOO_OLD: "update needed: client {version}, needs {least}",
    Verdict.INELIGIBLE: "not supported",
    PlanDetail.INELIGIBLE_WITH_MESSAGE: "not supported: {message}",
    Verdict.OVER_QUOTA: "over today's quota",
}
LABELS: Mapping[Verdict, str] = {
    Verdict.READY: "ready",
    Verdict.ALREADY_RUNNING: "busy",
    Verdict.OFFLINE: "offline",
    Verdict.UNLISTED: "not verified",
    Verdict.NEEDS_REGISTRATION: "shared device",
    Verdict.CLIENT_TOO_OLD: "update needed",
    Verdict.INELIGIBLE: "not supported",
    Verdict.OVER_QUOTA: "over quota",
}
AGES: Mapping[Unit, str] = {Unit.DAY: "{count} d", Unit.HOUR: "{count} h", Unit.MINUTE: "{count} min"}
STEP_OF_KIND = "{kind}: {step}"
IN_TURN = " ({first} first, then {second})"
SKIPPED_DEVICE = "{device}: {reason}"
MORE_SKIPPED = "{named} and {count} more"
LINE_SKIPPED = "{line} (skipped)"
LINE_OVER_QUOTA = "{line}: waits up to {minutes} min for the reset, then expires"
CALLS: Mapping[Count, tuple[str, str]] = {Count.CALLS: ("{count} call", "{count} calls")}
COST = "{calls} to Cloudflare"
COST_OF_UNKNOWN_QUOTA = "{calls} to Cloudflare · quota {before} → {after}"
COST_WITH_QUOTA = "{calls} to Cloudflare · quota {before} → {after} of {total}"

_LENGTHS: Mapping[Unit, timedelta] = {
    Unit.DAY: timedelta(days=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.MINUTE: timedelta(minutes=1),
}


def describe_line(line: PlanLine) -> str:
    """Describe all steps of a line: the first step, and what is different about the later ones."""
    first, *rest = line.steps
    described = describe_step(line, first)
    seen = {described}
    parts = [described]
    for step in rest:
        if (other := describe_step(line, step)) not in seen:
            seen.add(other)
            parts.append(STEP_OF_KIND.format(kind=SPECS[step.kind].label, step=other))
    return "; ".join(parts) + _turns(line)


def describe_step(line: PlanLine, step: Step) -> str:
    facts = line.facts
    match step.verdict:
        case Verdict.ALREADY_RUNNING if step.after:
            return sentence(SENTENCES, step.verdict, kind=SPECS[step.after].noun)
        case Verdict.OFFLINE if line.unseen is None:
            return sentence(SENTENCES, PlanDetail.NEVER_ONLINE)
        case Verdict.OFFLINE:
            return sentence(SENTENCES, step.verdict, age=_age(line.unseen or timedelta()))
        case Verdict.CLIENT_TOO_OLD:
            least = ".".join(map(str, facts.least_client))
            return sentence(SENTENCES, step.verdict, version=facts.client_version, least=least)
        case Verdict.INELIGIBLE if facts.ineligible_reason:
            return sentence(SENTENCES, PlanDetail.INELIGIBLE_WITH_MESSAGE, message=facts.ineligible_reason)
        case _:
            return sentence(SENTENCES, step.verdict)


def describe_skipped(lines: Sequence[PlanLine], *, most: int) -> str:
    """Name skipped devices, each with its reason. Only the first ones are named, the others are sentence_for_count."""
    named = [
        SKIPPED_DEVICE.format(device=describe_target(line.target), reason=describe_line(line)) for line in lines[:most]
    ]
    text, more = "; ".join(named), len(lines) - len(named)
    return MORE_SKIPPED.format(named=text, count=more) if more else text


def describe_cost(plan: Plan) -> str:
    """Return the calls and the quota, such as “1 call to Cloudflare · quota 37 → 38 of 200”."""
    calls = sentence_for_count(CALLS, Count.CALLS, plan.calls)
    before, total = plan.quota.used, plan.quota.total
    if before is None:
        return COST.format(calls=calls)
    cost = COST_OF_UNKNOWN_QUOTA if total is None else COST_WITH_QUOTA
    return cost.format(calls=calls, before=before, after=before + plan.sent, total=total)


def _turns(line: PlanLine) -> str:
    """Tell which kind of the run goes first, where one of its kinds waits for another."""
    waiting = [
        (step.after, step.kind)
        for step in line.steps
        if step.after and step.verdict is not Verdict.ALREADY_RUNNING and step.verdict not in SKIPPED
    ]
    return "".join(IN_TURN.format(first=_short(first), second=_short(second)) for first, second in waiting)


def _short(kind: Kind) -> str:
    return SPECS[kind].short


def _age(age: timedelta) -> str:
    """Return the age in the largest unit that fits into it, at least 1 minute."""
    unit = next((unit for unit, length in _LENGTHS.items() if age >= length), Unit.MINUTE)
    return sentence(AGES, unit, count=max(1, age // _LENGTHS[unit]))
