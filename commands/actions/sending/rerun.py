"""Run again: a new run of what a command was, for the same machine with the same options.

The old command stays as it is. Of an `unconfirmed` one nobody knows whether it still runs: until when that can be is
told beside the button.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.conf import settings

from commands.actions.sending import submit
from commands.actions.sending.submit import Target
from commands.models import Command, Run, User
from commands.rules import causes, kinds, plan, policies
from commands.rules.kinds import Kind
from commands.rules.policies import Refusal
from commands.rules.states import Status

SENT_BEFORE = Refusal("This form was sent already, for other commands: reload the page.")


@dataclass(frozen=True, slots=True)
class Again:
    """`kept`: those that cannot be run again, and why."""

    runs: Sequence[Run]
    kept: Mapping[UUID, Refusal]


def refusal(command: Command) -> Refusal | None:
    """Why it cannot be run again, now or ever; what the device says of it today is not asked."""
    return own_refusal(command) or submit.closed(command.account)


def own_refusal(command: Command) -> Refusal | None:
    """As `refusal`, as far as the command itself tells, without its account: for rows of a list."""
    if command.kind not in set(Kind):
        return Refusal("This kind of command is not known here.")
    return policies.run_again(Status(command.status))


def run_again(*, command: Command, device: plan.Target, by: User, now: datetime, form_key: UUID) -> Run | Refusal:
    """One command alone, as `run_all_again`."""
    made = run_all_again(commands=[command], devices={command.id: device}, by=by, now=now, form_key=form_key)
    return made.runs[0] if made.runs else made.kept[command.id]


def run_all_again(
    *,
    commands: Sequence[Command],
    devices: Mapping[UUID, plan.Target],
    by: User,
    now: datetime,
    form_key: UUID,
) -> Again:
    """New runs of the commands' machines, kinds and options, under their tickets: one for each run that they are of.

    A second submit gives the same runs. Each command has its account and its run with it. `devices`: what our tables
    know today of the device of each; what a plan would leave out is kept, in the plan's words.
    """
    kept = {one.id: reason for one in commands if (reason := refusal(one) or _left_out(one, devices[one.id], now))}
    groups: dict[UUID, list[Command]] = {}
    for command in commands:
        if command.id not in kept:
            groups.setdefault(command.run_id or command.id, []).append(command)
    runs: list[Run] = []
    for origin, group in groups.items():
        try:
            runs.append(_ask(group, by, now, uuid5(form_key, str(origin))))
        except submit.SentBefore:
            kept |= {command.id: SENT_BEFORE for command in group}
    return Again(runs, kept)


def _left_out(command: Command, device: plan.Target, now: datetime) -> Refusal | None:
    [line] = plan.plan([device], [Kind(command.kind)], quota=plan.Quota(), now=now).lines
    return policies.ask_for(line)


def _ask(commands: Sequence[Command], by: User, now: datetime, key: UUID) -> Run:
    """Of one run's commands, or of one that has none: they have the options of a kind in common."""
    first = commands[0]
    wanted = [(_target(command), Kind(command.kind)) for command in commands]
    options = {Kind(one.kind): one.options or kinds.clean_options(Kind(one.kind), {})[0] for one in commands}
    return submit.ask(
        account=first.account,
        by=by,
        now=now,
        form_key=key,
        options={kind: options[kind] for kind in kinds.SPECS if kind in options},
        targets=list(dict.fromkeys(target for target, _ in wanted)),
        purpose=first.run.purpose if first.run else "",
        ticket=first.ticket,
        reason=first.run.reason if first.run else "",
        only=wanted,
    )


def _target(command: Command) -> Target:
    return Target(
        device_id=command.device_id,
        email=command.email,
        registration_id=command.registration_id,
        name=command.device_name,
        platform=command.platform,
        listed=command.listed,
    )


def may_run_until(command: Command) -> datetime | None:
    """Until when an unconfirmed command may still run on the device; None for one that surely does not."""
    if command.status != Status.UNCONFIRMED or command.kind not in set(Kind):
        return None
    dispatch = command.dispatch
    sent_by = dispatch.lease_until if dispatch else command.requested_at
    return causes.may_run_until(
        Kind(command.kind), command.options, command.remote_created_at or sent_by, scale=settings.TIME_SCALE
    )
