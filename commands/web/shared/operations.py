"""Operations that a person can do with commands: send now, withdraw, run again. Also the messages about their result.

No function runs a query.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from django.urls import reverse

from commands.access import Right
from commands.models import Command
from commands.rules import policies
from commands.rules.policies import Refusal, RefusalCode
from commands.rules.states import Status
from commands.rules.wording.refusals import describe_refusal


class RowOperation(StrEnum):
    """Operation on selected commands, as forms send it."""

    AGAIN = "again"
    WITHDRAW = "withdraw"
    SEND_NOW = "send-now"


_DONE: Mapping[RowOperation, str] = {
    RowOperation.AGAIN: "run again",
    RowOperation.WITHDRAW: "withdrawn",
    RowOperation.SEND_NOW: "released, sending shortly",
}
SELECTED_MAX = 100
_NAMED = 5


@dataclass(frozen=True, slots=True)
class CommandOperations:
    """Operations that one command's page offers. A URL is '' where the operation is not allowed.

    Attributes:
        again_label: text of the button. It names device and person, because the button is the confirmation.
        again_warning: what to know about the earlier command, '' if nothing.
        runs_until: time until which the earlier command may still run.
    """

    send_now_url: str
    withdraw_url: str
    again_url: str
    again_key: UUID
    again_label: str
    again_warning: str
    runs_until: datetime | None


def is_held(command: Command) -> bool:
    return command.status == Status.QUEUED and command.held_at is not None


def send_now_url(command: Command, rights: Collection[Right]) -> str:
    return reverse("send-now", args=[command.id]) if is_held(command) and Right.RUN in rights else ""


def refusal(operation: RowOperation, command: Command) -> Refusal | None:
    """Return why the command's present status rules the operation out. Its account and device are checked later."""
    if operation is RowOperation.AGAIN:
        return policies.run_again(Status(command.status), command.kind)
    if command.started_elsewhere:
        return Refusal(RefusalCode.STARTED_ELSEWHERE)
    if operation is RowOperation.WITHDRAW:
        return policies.withdraw(Status(command.status))
    return None if is_held(command) else Refusal(RefusalCode.NOT_ON_HOLD)


def withdrawal_refusal(status: Status) -> Refusal:
    """Return why a command with this status was not withdrawn."""
    return policies.withdraw(status) or Refusal(RefusalCode.CHANGED_MEANWHILE)


def allowed_operations(command: Command) -> str:
    """Return the allowed operations, separated by spaces, for the row's checkbox."""
    return " ".join(operation for operation in RowOperation if refusal(operation, command) is None)


def build(command: Command, rights: Collection[Right], *, now: datetime) -> CommandOperations:
    until = command.may_run_until
    can_run = Right.RUN in rights
    is_refused = refusal(RowOperation.AGAIN, command) or command.account.refusal_to_run()
    return CommandOperations(
        send_now_url=send_now_url(command, rights),
        withdraw_url=reverse("act") if can_run and not refusal(RowOperation.WITHDRAW, command) else "",
        again_url=reverse("run-again", args=[command.id]) if can_run and not is_refused else "",
        again_key=uuid4(),
        again_label=f"Run again on {target_label(command)}",
        again_warning=_warning(until, now),
        runs_until=until if until and until > now else None,
    )


def target_label(command: Command) -> str:
    """Return the device and its person, such as “LAP-0042 (maria@example.com)”."""
    device = device_label(command)
    return f"{device} ({command.email})" if command.email else device


def device_label(command: Command) -> str:
    return command.device_name or command.device_id


def _warning(until: datetime | None, now: datetime) -> str:
    if until is None:
        return ""
    if until > now:
        return "The earlier one may still be running, until"
    return "We don't know if the earlier one ran, but it's over by now."


# --- Messages about the result


def result_messages(
    operation: RowOperation, commands: Sequence[Command], refused: Mapping[UUID, Refusal]
) -> tuple[list[str], list[str]]:
    """Return the message about the commands that changed, and one for each reason that kept others from it."""
    done = [device_label(command) for command in commands if command.id not in refused]
    reasons = {id_: describe_refusal(refusal) for id_, refusal in refused.items()}
    others = []
    for reason in dict.fromkeys(reasons.values()):
        names = [device_label(command) for command in commands if reasons.get(command.id) == reason]
        was = "was" if len(names) == 1 else "were"
        others.append(f"{join_names(names)} {was} not {_NOT_DONE[operation]}. {reason}")
    return [f"{count_commands(len(done))} {_DONE[operation]}: {join_names(done)}."] if done else [], others


_NOT_DONE: Mapping[RowOperation, str] = {**_DONE, RowOperation.SEND_NOW: "released"}


def count_commands(count: int) -> str:
    return "1 command" if count == 1 else f"{count} commands"


def join_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    shown, more = names[:_NAMED], len(names) - _NAMED
    return f"{', '.join(shown)} and {more} more" if more > 0 else ", ".join(shown)
