"""What a person may do about one command: let a held one go, run one again. Built without a query."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.urls import reverse

from commands.access import Right
from commands.actions import again
from commands.models import Command
from commands.states import Status


@dataclass(frozen=True, slots=True)
class Acts:
    """An address is '' where the act is not to be offered. `runs_until`: until when the old one may still run."""

    send_now_url: str
    again_url: str
    again_key: UUID
    again_words: str
    runs_until: datetime | None


def send_now_url(command: Command, rights: frozenset[Right]) -> str:
    is_held = command.status == Status.QUEUED and command.held_at is not None
    return reverse("send-now", args=[command.id]) if is_held and Right.RUN in rights else ""


def build(command: Command, rights: frozenset[Right], *, now: datetime) -> Acts:
    until = again.may_run_until(command)
    may = Right.RUN in rights and again.refusal(command) is None
    return Acts(
        send_now_url=send_now_url(command, rights),
        again_url=reverse("run-again", args=[command.id]) if may else "",
        again_key=uuid4(),
        again_words=_words(until, now),
        runs_until=until if until and until > now else None,
    )


def _words(until: datetime | None, now: datetime) -> str:
    if until is None:
        return ""
    if until > now:
        return "Nobody knows whether the old one runs: it may still run on the device until"
    return "Nobody knows whether the old one ran; by now it cannot run any more."
