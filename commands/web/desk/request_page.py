"""The desk's form as people see it: devices to pick from, what would happen if they pressed Run, and what did."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from commands.access import Right
from commands.models import Device, Run
from commands.queries import plans
from commands.queries.devices import SUGGESTIONS
from commands.queries.viewer_context import ViewerContext
from commands.rules import plan, policies
from commands.rules.kinds import Kind
from commands.rules.plan import Verdict
from commands.rules.states import Tone
from commands.rules.targeting import LineError
from commands.web.shared.rows import Chip, platform_name

_CHIPS: Mapping[Verdict, Chip] = {
    Verdict.READY: Chip("ready", Tone.DONE),
    Verdict.ALREADY_RUNNING: Chip("busy", Tone.RUNNING),
    Verdict.NOT_SEEN: Chip("away", Tone.WAITING),
    Verdict.UNKNOWN: Chip("not verified", Tone.UNCERTAIN),
    Verdict.NEEDS_REGISTRATION: Chip("whose?", Tone.UNCERTAIN),
    Verdict.CLIENT_TOO_OLD: Chip("too old", Tone.WITHDRAWN),
    Verdict.INELIGIBLE: Chip("not able", Tone.WITHDRAWN),
    Verdict.OVER_QUOTA: Chip("over quota", Tone.FAILED),
}
_LINES = 6  # of a plan
_NAMED = 20  # devices of one line of a plan
_FEW = 2  # names that stand beside their line; more are under a fold
_NAMED_LEFT_OUT = 5  # devices in one sentence
SHOWN_TICKS = 50  # of the ticked devices; the others stay ticked without a row


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A listed device that can be ticked. `why` says what stands in the way, in words, instead of the facts."""

    key: int
    person: str
    device: str
    facts: str
    title: str
    seen_at: datetime | None
    tells_seen: bool
    why: str
    chip: Chip
    checked: bool


@dataclass(frozen=True, slots=True)
class Devices:
    choices: Sequence[DeviceChoice]
    unshown: Sequence[int]  # keys that are ticked, too many to show
    nobody: str  # what was looked for in vain
    waits: bool  # nobody was found because nobody was listed yet: to be asked again
    is_cut: bool  # more were found than are shown


@dataclass(frozen=True, slots=True)
class PlanLine:
    """`names`: the devices that it is about; `more`: how many are not named."""

    tone: str
    words: str
    names: Sequence[str] = ()
    more: int = 0

    @property
    def is_long(self) -> bool:
        return len(self.names) > _FEW


@dataclass(frozen=True, slots=True)
class PlanBox:
    """Without lines there is nothing to say yet. `why_not`: why the button is disabled; '' if it is not."""

    lines: Sequence[PlanLine]
    cost: str = ""
    notice: str = ""
    button: str = "Run"
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """The answer of a Run. `url`: of what was made; '' for somebody who may not see it."""

    words: str
    url: str
    left_out: str

    @property
    def spoken(self) -> str:
        return f"{self.words} {self.left_out}".strip()


def devices(
    ticked: Sequence[Device],
    found: Sequence[Device],
    machines: Mapping[str, int],
    *,
    looked_for: str,
    were_listed: bool = True,
    now: datetime,
) -> Devices:
    """The ticked ones first, then those that were found. `were_listed`: Cloudflare has listed devices before."""
    keys = {device.pk for device in ticked}
    shown = [*ticked[:SHOWN_TICKS], *(device for device in found[:SUGGESTIONS] if device.pk not in keys)]
    nobody = looked_for if looked_for and not found else ""
    return Devices(
        choices=[_choice(device, machines, now, checked=device.pk in keys) for device in shown],
        unshown=[device.pk for device in ticked[SHOWN_TICKS:]],
        nobody=nobody if were_listed else "",
        waits=bool(nobody) and not were_listed,
        is_cut=len(found) > SUGGESTIONS,
    )


def _choice(device: Device, machines: Mapping[str, int], now: datetime, *, checked: bool) -> DeviceChoice:
    [line] = plan.plan([plans.facts_of(device, machines)], [Kind.PCAP], quota=plan.Quota(), now=now).lines
    verdict = line.steps[0].verdict
    is_well = verdict in (Verdict.READY, Verdict.NOT_SEEN)
    version = f"client {device.client_version}" if device.client_version else ""
    facts = " · ".join(word for word in (platform_name(device.platform), version) if word)
    return DeviceChoice(
        key=device.pk,
        person=device.email or "nobody's",
        device=str(device),
        facts=facts if is_well else "",
        title=" · ".join(word for word in (str(device), facts, line.words, device.device_id) if word),
        seen_at=device.seen_at,
        tells_seen=is_well,
        why="" if is_well else line.words,
        chip=_CHIPS[verdict],
        checked=checked,
    )


def plan_box(
    place: ViewerContext,
    made: plan.Plan | None,
    *,
    lines: int,
    wrong: Sequence[LineError],
    problems: Sequence[str],
) -> PlanBox:
    """`made`: None while nobody or nothing is picked. `wrong` of the `lines` of a list; `problems`: other sentences."""
    if place.closed:
        return PlanBox([], why_not=place.closed)
    told = [*([_wrong(wrong, lines)] if wrong else []), *(PlanLine(Tone.FAILED, problem) for problem in problems)]
    if made is None or not made.lines:
        return PlanBox(told)
    sent = [line for line in made.lines if not line.is_left_out]
    if not sent:
        return PlanBox([*_lines(made), *told], button=_button(made, sent), why_not=nothing_sent(made))
    return PlanBox([*_lines(made), *told], made.cost, _notice(sent), _button(made, sent))


def _lines(made: plan.Plan) -> list[PlanLine]:
    """Devices by what would happen to them, the commonest first; what is left out says so."""
    groups: dict[tuple[Verdict, str], list[str]] = {}
    for line in made.lines:
        groups.setdefault((_worst(line), _told(line)), []).append(_name(line.target))
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    lines = [_line(_CHIPS[verdict].tone, words, names) for (verdict, words), names in ordered[:_LINES]]
    if rest := [name for _, names in ordered[_LINES:] for name in names]:
        lines.append(_line(Tone.WITHDRAWN, "with other words", rest))
    return lines


def _line(tone: str, words: str, names: Sequence[str]) -> PlanLine:
    return PlanLine(tone, f"{len(names)} {words}", names[:_NAMED], len(names[_NAMED:]))


def _told(line: plan.Line) -> str:
    if line.is_left_out:
        return f"{line.words} (left out)"
    if any(step.verdict is Verdict.OVER_QUOTA for step in line.steps):
        minutes = round(settings.QUEUED_EXPIRY * settings.TIME_SCALE / plan.MINUTE)
        return f"{line.words}: in the queue until it resets, for {minutes} min at most"
    return line.words


def _worst(line: plan.Line) -> Verdict:
    """What colours a line: the last step's, which waits for the others."""
    return line.steps[-1].verdict


def _name(target: plan.Target) -> str:
    """Such as “LAP-0042 of maria@example.com”."""
    device = target.name or target.device_id
    return f"{device} of {target.email}" if target.email else device


def _wrong(wrong: Sequence[LineError], lines: int) -> PlanLine:
    words = "1 line is not understood" if len(wrong) == 1 else f"{len(wrong)} lines are not understood"
    named = [f"Line {error.number}: {error.sentence}" for error in wrong]
    right = f", {lines - len(wrong)} of {lines} are" if lines > len(wrong) else ""
    return PlanLine(Tone.FAILED, f"{words}{right}", named[:_NAMED], len(named[_NAMED:]))


def _notice(sent: Sequence[plan.Line]) -> str:
    """Neither Cloudflare's documents nor the portal promise one on the device: it is the asker's own word."""
    people = {line.target.email for line in sent if line.target.email}
    if len(people) == 1:
        return f"Notice to {people.pop()}: what you tell them, now"
    return f"Notice to the {len(people)} people: what you tell them, now" if people else ""


def _button(made: plan.Plan, sent: Sequence[plan.Line]) -> str:
    """The button is the confirmation: it names the person and the device."""
    if len(made.lines) == 1:
        return f"Run on {_name(made.lines[0].target)}"
    of = "" if len(sent) == len(made.lines) else f" of {len(made.lines)}"
    kinds = len(made.lines[0].steps)
    commands = f" ({len(sent) * kinds} commands)" if kinds > 1 and sent else ""
    return f"Run on {len(sent)}{of} devices{commands}"


def nothing_sent(made: plan.Plan) -> str:
    """Why Run would ask for nothing."""
    refused = [refusal.reason for line in made.lines if (refusal := policies.ask_for(line))]
    if len(set(refused)) == 1:
        return refused[0]
    return f"Nothing would be sent: {_left_out(made.lines)}."


def said(made: Run, count: int, only: UUID | None, *, asked: plan.Plan, rights: Collection[Right]) -> Said:
    """What a Run answers: `count` of its commands, and the `only` one where it is one."""
    words = "Asked for: 1 command." if count == 1 else f"Asked for: {count} commands."
    out = [line for line in asked.lines if line.is_left_out]
    left = ""
    if out:
        were = "was" if len(out) == 1 else "were"
        left = f"{len(out)} of {len(asked.lines)} devices {were} left out: {_left_out(out)}."
    url = reverse("command", args=[only]) if only else reverse("run", args=[made.id])
    return Said(words, url if Right.SEE in rights else "", left)


def _left_out(lines: Sequence[plan.Line]) -> str:
    named = [f"{_name(line.target)} ({line.words})" for line in lines[:_NAMED_LEFT_OUT]]
    more = len(lines) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
