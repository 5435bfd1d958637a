"""Request form as people see it: devices to select, the plan of the run, and the confirmation after Run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from commands.access import Right
from commands.models import Run
from commands.queries.devices import SUGGESTIONS
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import Kind
from commands.rules.plan import Plan, PlanLine, PlanQuota, TargetFacts, Verdict, make_plan
from commands.rules.policies import Refusal, RefusalCode
from commands.rules.states import Tone
from commands.rules.targeting import LineError, ListedDevice
from commands.rules.wording import plan as wording
from commands.rules.wording.refusals import describe_refusal
from commands.rules.wording.targets import describe_line_error, describe_target
from commands.web.shared.rows import Chip, platform_name

_TONES: Mapping[Verdict, Tone] = {
    Verdict.READY: Tone.DONE,
    Verdict.ALREADY_RUNNING: Tone.RUNNING,
    Verdict.OFFLINE: Tone.WAITING,
    Verdict.UNLISTED: Tone.UNCERTAIN,
    Verdict.NEEDS_REGISTRATION: Tone.UNCERTAIN,
    Verdict.CLIENT_TOO_OLD: Tone.WITHDRAWN,
    Verdict.INELIGIBLE: Tone.WITHDRAWN,
    Verdict.OVER_QUOTA: Tone.FAILED,
}
_ROWS = 6  # of a plan
_NAMED = 20  # devices of one row of a plan
_FEW = 2  # names that stand beside their row, more of them are folded
_NAMED_SKIPPED = 5  # devices in one sentence
SHOWN_SELECTED = 50  # selected devices with a row of their own, the others stay selected without one


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """Listed device that can be selected. `problem` tells why it can't run commands, in place of the facts."""

    key: int
    person: str
    device: str
    facts: str
    title: str
    seen_at: datetime | None
    shows_seen: bool
    problem: str
    chip: Chip
    checked: bool


@dataclass(frozen=True, slots=True)
class DeviceChoices:
    choices: Sequence[DeviceChoice]
    unshown: Sequence[int]  # keys that are selected, too many to show
    no_match_for: str
    waits: bool  # no device was listed yet, so the browser tries again
    is_cut: bool  # more devices match than are shown


@dataclass(frozen=True, slots=True)
class PlanRow:
    """`names` are the devices of the row. `more` counts those that are not named."""

    tone: str
    text: str
    names: Sequence[str] = ()
    more: int = 0

    @property
    def is_long(self) -> bool:
        return len(self.names) > _FEW


@dataclass(frozen=True, slots=True)
class PlanBox:
    """Plan and button. The button is disabled where `why_not` has a reason."""

    rows: Sequence[PlanRow]
    cost: str = ""
    notice: str = ""
    button: str = "Run"
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Message after Run. The URL of the new command or run is '' for a viewer who may not see it."""

    message: str
    url: str
    skipped: str

    @property
    def spoken(self) -> str:
        return f"{self.message} {self.skipped}".strip()


def device_choices(
    selected: Sequence[ListedDevice],
    matches: Sequence[ListedDevice],
    registrations: Mapping[str, int],
    *,
    text: str,
    has_directory: bool = True,
    now: datetime,
) -> DeviceChoices:
    """List the selected devices, then those that match the text. `registrations` counts them by machine."""
    keys = {device.key for device in selected}
    shown = [
        *selected[:SHOWN_SELECTED],
        *(device for device in matches[:SUGGESTIONS] if device.key not in keys),
    ]
    no_match_for = text if text and not matches else ""
    return DeviceChoices(
        choices=[_choice(device, registrations, now, checked=device.key in keys) for device in shown],
        unshown=[device.key for device in selected[SHOWN_SELECTED:]],
        no_match_for=no_match_for if has_directory else "",
        waits=bool(no_match_for) and not has_directory,
        is_cut=len(matches) > SUGGESTIONS,
    )


def _choice(device: ListedDevice, registrations: Mapping[str, int], now: datetime, *, checked: bool) -> DeviceChoice:
    facts = TargetFacts.of(device, machine_registrations=registrations.get(device.device_id, 1))
    [line] = make_plan([facts], [Kind.PCAP], quota=PlanQuota(), now=now).lines
    verdict = line.steps[0].verdict
    can_run = verdict in (Verdict.READY, Verdict.OFFLINE)
    version = f"client {device.client_version}" if device.client_version else ""
    known = " · ".join(part for part in (platform_name(device.platform), version) if part)
    title = (device.label, known, wording.describe_line(line), device.device_id)
    return DeviceChoice(
        key=device.key,
        person=device.email or "no user",
        device=device.label,
        facts=known if can_run else "",
        title=" · ".join(part for part in title if part),
        seen_at=device.seen_at,
        shows_seen=can_run,
        problem="" if can_run else wording.describe_line(line),
        chip=Chip(wording.LABELS[verdict], _TONES[verdict]),
        checked=checked,
    )


def plan_box(
    context: ViewerContext,
    plan: Plan | None,
    *,
    line_count: int,
    line_errors: Sequence[LineError],
    problems: Sequence[str],
) -> PlanBox:
    """Show a plan, or only what is wrong while there is none. `problems` are sentences beside those of lines."""
    if context.closed:
        return PlanBox([], why_not=context.closed)
    wrong = [
        *([_line_errors(line_errors, line_count)] if line_errors else []),
        *(PlanRow(Tone.FAILED, problem) for problem in problems),
    ]
    if plan is None or not plan.lines:
        return PlanBox(wrong)
    rows = [*_rows(plan), *wrong]
    if not plan.sendable:
        why_not = describe_refusal(Refusal(RefusalCode.NOTHING_TO_SEND, skipped=plan.skipped))
        return PlanBox(rows, button=_button(plan), why_not=why_not)
    return PlanBox(rows, wording.describe_cost(plan), _notice(plan.sendable), _button(plan))


def _rows(plan: Plan) -> list[PlanRow]:
    """Group devices by what would happen to them, the largest group first."""
    groups: dict[tuple[Verdict, str], list[str]] = {}
    for line in plan.lines:
        key = (line.steps[-1].verdict, _describe(line))  # the last step waits for the others, so it gives the colour
        groups.setdefault(key, []).append(describe_target(line.target))
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    rows = [_row(_TONES[verdict], f"{len(names)} {text}", names) for (verdict, text), names in ordered[:_ROWS]]
    if rest := [name for _, names in ordered[_ROWS:] for name in names]:
        rows.append(_row(Tone.WITHDRAWN, f"{len(rest)} more, for other reasons", rest))
    return rows


def _row(tone: str, text: str, names: Sequence[str]) -> PlanRow:
    return PlanRow(tone, text, names[:_NAMED], len(names[_NAMED:]))


def _describe(line: PlanLine) -> str:
    described = wording.describe_line(line)
    if line.is_skipped:
        return wording.LINE_SKIPPED.format(line=described)
    if any(step.verdict is Verdict.OVER_QUOTA for step in line.steps):
        minutes = round(settings.QUEUED_EXPIRY * settings.TIME_SCALE / timedelta(minutes=1))
        return wording.LINE_OVER_QUOTA.format(line=described, minutes=minutes)
    return described


def _line_errors(errors: Sequence[LineError], line_count: int) -> PlanRow:
    named = [f"Line {error.number}: {describe_line_error(error)}" for error in errors]
    fine = line_count - len(errors)
    have = "has a problem" if len(errors) == 1 else "have problems"
    counted = f"{len(errors)} of {line_count}" if fine > 0 else f"{len(errors)}"
    noun = "line" if line_count == 1 or (fine <= 0 and len(errors) == 1) else "lines"
    rest = f"; {fine} {'is' if fine == 1 else 'are'} fine" if fine > 0 else ""
    return _row(Tone.FAILED, f"{counted} {noun} {have}{rest}", named)


def _notice(lines: Sequence[PlanLine]) -> str:
    """Remind of the people: Cloudflare shows no notice on the device."""
    people = {line.target.email for line in lines if line.target.email}
    if len(people) == 1:
        return f"Let {people.pop()} know you're doing this."
    return f"Let the {len(people)} people know you're doing this." if people else ""


def _button(plan: Plan) -> str:
    """Name the person and the device, because the button is the confirmation."""
    if len(plan.lines) == 1:
        return f"Run on {describe_target(plan.lines[0].target)}"
    count = len(plan.sendable)
    of_all = "" if count == len(plan.lines) else f" of {len(plan.lines)}"
    kinds = len(plan.lines[0].steps)
    commands = f" ({count * kinds} commands)" if kinds > 1 and count else ""
    return f"Run on {count}{of_all} devices{commands}"


def confirmation(
    run: Run, skipped: Sequence[PlanLine], *, count: int, only_id: UUID | None, rights: Collection[Right]
) -> Confirmation:
    """Confirm a run of `count` commands, with a link to the only command or to the run."""
    message = "1 command queued." if count == 1 else f"{count} commands queued."
    left = ""
    if skipped:
        were = "was" if len(skipped) == 1 else "were"
        names = wording.describe_skipped(skipped, most=_NAMED_SKIPPED)
        left = f"{len(skipped)} of {run.devices + len(skipped)} devices {were} skipped: {names}."
    url = reverse("command", args=[only_id]) if only_id else reverse("run", args=[run.id])
    return Confirmation(message, url if Right.SEE in rights else "", left)
