"""The desk's form as people see it: devices to pick from, and what would happen if they pressed Run."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from commands import plan
from commands.actions.run import Target
from commands.kinds import Kind
from commands.models import Device
from commands.pages.rows import Chip, platform_name
from commands.plan import Verdict
from commands.queries.place import Place
from commands.states import Tone

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


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A listed device that can be ticked. `why` says what stands in the way, in words; '' if nothing does."""

    key: int
    person: str
    name: str
    platform: str
    facts: str
    seen_at: datetime | None
    is_away: bool
    why: str
    chip: Chip
    checked: bool


@dataclass(frozen=True, slots=True)
class Devices:
    choices: Sequence[DeviceChoice]
    nobody: str  # what was looked for in vain
    waits: bool  # nobody was found because nobody was listed yet: to be asked again


@dataclass(frozen=True, slots=True)
class PlanLine:
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class PlanBox:
    """Without lines there is nothing to say yet."""

    lines: Sequence[PlanLine]
    cost: str
    button: str


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
    rest = [device for device in found if device.pk not in keys]
    choices = [_choice(device, machines, now, checked=device.pk in keys) for device in [*ticked, *rest]]
    nobody = looked_for if looked_for and not found else ""
    return Devices(choices, nobody if were_listed else "", waits=bool(nobody) and not were_listed)


def _choice(device: Device, machines: Mapping[str, int], now: datetime, *, checked: bool) -> DeviceChoice:
    facts = _facts(device, machines, ())
    [line] = plan.plan([facts], [Kind.PCAP], quota=plan.Quota(), now=now).lines
    step = line.steps[0]
    version = f"client {device.client_version}" if device.client_version else ""
    return DeviceChoice(
        key=device.pk,
        person=device.email,
        name=str(device),
        platform=platform_name(device.platform),
        facts=" · ".join(word for word in (str(device), version, step.words, device.device_id) if word),
        seen_at=device.seen_at,
        is_away=step.verdict is Verdict.NOT_SEEN,
        why="" if step.verdict in (Verdict.READY, Verdict.NOT_SEEN) else step.words,
        chip=_CHIPS[step.verdict],
        checked=checked,
    )


def _facts(device: Device, machines: Mapping[str, int], open_kinds: Collection[Kind]) -> plan.Target:
    return plan.Target(
        device_id=device.device_id,
        email=device.email,
        registration_id=device.registration_id,
        name=device.name,
        platform=device.platform,
        client_version=device.client_version,
        eligible=device.eligible,
        ineligible_reason=device.ineligible_reason,
        seen_at=device.seen_at,
        machine_registrations=machines.get(device.device_id, 1),
        open_kinds=open_kinds,
    )


def plan_box(
    place: Place,
    targets: Sequence[Target],
    listed: Sequence[Device],
    kinds: Collection[Kind],
    *,
    machines: Mapping[str, int],
    open_kinds: Mapping[str, Collection[str]],
    wrong_lines: int,
    now: datetime,
) -> PlanBox:
    """`listed`: the rows of those targets that Cloudflare listed."""
    wrong = [PlanLine(Tone.FAILED, _wrong(wrong_lines))] if wrong_lines else []
    if not targets or not kinds:
        return PlanBox(wrong, "", "Run")
    rows = {(device.device_id, device.registration_id): device for device in listed}
    facts = []
    for target in targets:
        running = [Kind(kind) for kind in open_kinds.get(target.device_id, ()) if kind in set(Kind)]
        row = rows.get((target.device_id, target.registration_id))
        facts.append(_facts(row, machines, running) if row else _unlisted(target, machines, running))
    quota = plan.Quota(place.quota_used, place.account.sync.quota_total)
    made = plan.plan(facts, kinds, quota=quota, now=now)
    return PlanBox([*_lines(made), *wrong], made.cost, _button(targets, kinds))


def _unlisted(target: Target, machines: Mapping[str, int], running: Collection[Kind]) -> plan.Target:
    return plan.Target(
        device_id=target.device_id,
        email=target.email,
        registration_id=target.registration_id,
        listed=False,
        machine_registrations=max(1, machines.get(target.device_id, 1)),
        open_kinds=running,
    )


def _lines(made: plan.Plan) -> list[PlanLine]:
    """Commands by what would happen to them, the commonest first."""
    counted = Counter((step.verdict, step.words) for line in made.lines for step in line.steps)
    lines = [PlanLine(_CHIPS[verdict].tone, f"{count} {words}") for (verdict, words), count in counted.most_common()]
    if len(lines) > _LINES:
        left = sum(count for _, count in counted.most_common()[_LINES:])
        lines = [*lines[:_LINES], PlanLine(Tone.WITHDRAWN, f"{left} with other words")]
    return lines


def _wrong(lines: int) -> str:
    return "1 line is not understood" if lines == 1 else f"{lines} lines are not understood"


def _button(targets: Sequence[Target], kinds: Collection[Kind]) -> str:
    """The button is the confirmation: it names the person and the device."""
    if len(targets) > 1:
        commands = f" ({len(targets) * len(kinds)} commands)" if len(kinds) > 1 else ""
        return f"Run on {len(targets)} devices{commands}"
    [target] = targets
    return f"Run on {target.name or target.device_id} of {target.email}" if target.email else f"Run on {target.name}"
