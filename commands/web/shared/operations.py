"""What a person may do about commands: let held ones go, take back, run again; and what became of it, in words.

Built without a query.
"""

from collections.abc import Mapping, Sequence
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


class Act(StrEnum):
    """What can be done with ticked commands; the value is that of the form."""

    AGAIN = "again"
    WITHDRAW = "withdraw"
    SEND_NOW = "send-now"


_DONE: Mapping[Act, str] = {
    Act.AGAIN: "run again",
    Act.WITHDRAW: "withdrawn",
    Act.SEND_NOW: "released, sending shortly",
}
MOST = 100  # commands at a time
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Acts:
    """An address is '' where the act is not to be offered. `runs_until`: until when the old one may still run."""

    send_now_url: str
    withdraw_url: str
    again_url: str
    again_key: UUID
    again_label: str  # the button asks and confirms in one, so it names the device and the person
    again_words: str
    runs_until: datetime | None


def is_held(command: Command) -> bool:
    return command.status == Status.QUEUED and command.held_at is not None


def send_now_url(command: Command, rights: frozenset[Right]) -> str:
    return reverse("send-now", args=[command.id]) if is_held(command) and Right.RUN in rights else ""


def refusal(act: Act, command: Command) -> Refusal | None:
    """Why this cannot be done with it, as it stands now; its account and its device are asked when it is done."""
    if act is Act.AGAIN:
        return policies.run_again(Status(command.status), command.kind)
    if command.started_elsewhere:
        return Refusal(RefusalCode.STARTED_ELSEWHERE)
    if act is Act.WITHDRAW:
        return policies.withdraw(Status(command.status))
    return None if is_held(command) else Refusal(RefusalCode.NOT_ON_HOLD)


def kept_because(status: Status) -> Refusal:
    """Why one could not be taken back that had this status by then."""
    return policies.withdraw(status) or Refusal(RefusalCode.CHANGED_MEANWHILE)


def allowed_actions(command: Command) -> str:
    """Return the operations that are allowed for a row, as its check box carries them."""
    return " ".join(act for act in Act if refusal(act, command) is None)


def build(command: Command, rights: frozenset[Right], *, now: datetime) -> Acts:
    until = command.may_run_until
    refused = refusal(Act.AGAIN, command) or command.account.refusal_to_run()
    may = Right.RUN in rights and refused is None
    return Acts(
        send_now_url=send_now_url(command, rights),
        withdraw_url=reverse("act") if Right.RUN in rights and not refusal(Act.WITHDRAW, command) else "",
        again_url=reverse("run-again", args=[command.id]) if may else "",
        again_key=uuid4(),
        again_label=f"Run again on {target_label(command)}",
        again_words=_words(until, now),
        runs_until=until if until and until > now else None,
    )


def target_label(command: Command) -> str:
    """Return the device and its person, such as “LAP-0042 (maria@example.com)”."""
    device = _name(command)
    return f"{device} ({command.email})" if command.email else device


def _words(until: datetime | None, now: datetime) -> str:
    if until is None:
        return ""
    if until > now:
        return "The earlier one may still be running, until"
    return "We don't know if the earlier one ran, but it's over by now."


# --- What became of it


def result_messages(act: Act, commands: Sequence[Command], kept: Mapping[UUID, Refusal]) -> tuple[list[str], list[str]]:
    """Return the messages about the commands that changed, and about the others by their reason."""
    done = [_name(command) for command in commands if command.id not in kept]
    others = []
    reasons = {id_: describe_refusal(refused) for id_, refused in kept.items()}
    for reason in dict.fromkeys(reasons.values()):
        names = [_name(one) for one in commands if reasons.get(one.id) == reason]
        others.append(f"Not {counted(len(names))} ({join_names(names)}): {reason[:1].lower()}{reason[1:]}")
    return [f"{counted(len(done))} {_DONE[act]}: {join_names(done)}."] if done else [], others


def counted(count: int) -> str:
    return "1 command" if count == 1 else f"{count} commands"


def join_names(names: Sequence[str]) -> str:
    shown, left = names[:_NAMED], len(names) - _NAMED
    return f"{', '.join(shown)} and {left} more" if left > 0 else ", ".join(shown)


def _name(command: Command) -> str:
    return command.device_name or command.device_id
