"""Run again: a new run of what a command was, for the same machine with the same options.

The old command stays as it is. Of an `unconfirmed` one nobody knows whether it still runs: until when that can be is
told beside the button.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings

from commands import causes, kinds, plan, policies
from commands.actions import run
from commands.actions.run import Target
from commands.kinds import Kind
from commands.models import Command, Run, User
from commands.policies import Refusal
from commands.states import Status


def refusal(command: Command) -> Refusal | None:
    """Why it cannot be run again, now or ever; what the device says of it today is not asked."""
    if command.kind not in set(Kind):
        return Refusal("This kind of command is not known here.")
    return policies.run_again(Status(command.status)) or run.closed(command.account)


def run_again(*, command: Command, device: plan.Target, by: User, now: datetime, form_key: UUID) -> Run | Refusal:
    """A new run of the command's machine, kind and options, under its ticket; a second submit gives the same run.

    `device`: what our tables know of it today. What a plan would leave out is refused in the plan's words.
    """
    if reason := refusal(command):
        return reason
    kind = Kind(command.kind)
    [line] = plan.plan([device], [kind], quota=plan.Quota(), now=now).lines
    if reason := policies.ask_for(line):
        return reason
    before = command.run
    target = Target(
        device_id=command.device_id,
        email=command.email,
        registration_id=command.registration_id,
        name=command.device_name,
        platform=command.platform,
        listed=command.listed,
    )
    try:
        return run.ask(
            account=command.account,
            by=by,
            now=now,
            form_key=form_key,
            options={kind: command.options or kinds.clean_options(kind, {})[0]},
            targets=[target],
            purpose=before.purpose if before else "",
            ticket=command.ticket,
            reason=before.reason if before else "",
        )
    except run.SentBefore:
        return Refusal("This form was sent already, for another command: reload the page.")


def may_run_until(command: Command) -> datetime | None:
    """Until when an unconfirmed command may still run on the device; None for one that surely does not."""
    if command.status != Status.UNCONFIRMED or command.kind not in set(Kind):
        return None
    dispatch = command.dispatch
    sent_by = dispatch.lease_until if dispatch else command.asked_at
    return causes.may_run_until(
        Kind(command.kind), command.options, command.remote_created_at or sent_by, scale=settings.TIME_SCALE
    )
