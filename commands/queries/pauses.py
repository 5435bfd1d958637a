"""What Cloudflare does not take from an account for the moment, and what waits for it.

`may_rest()` goes into a query of accounts, so that an account without trouble costs nothing more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from commands.models import CallBudget, Command, Pause
from commands.states import Status


@dataclass(frozen=True, slots=True)
class Resting:
    """One act that rests: `refused`, an admin has to mend something; else it is tried again at `until`."""

    act: Pause.Act
    words: str
    since: datetime
    until: datetime
    refused: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Commands that are queued, and those of them that wait for "send now"."""

    queued: int
    held: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """`throttled`: until when Cloudflare takes no call of the credential, with its words."""

    resting: Sequence[Resting] = ()
    throttled: tuple[datetime, str] | None = None
    waiting: Waiting = Waiting(0, 0)


NO_TROUBLE = Trouble()


def trouble(account_id: UUID, *, now: datetime) -> Trouble:
    """Three queries; ask only where `may_rest()` said so."""
    return Trouble(_resting(account_id, now), _throttled(account_id, now), _waiting(account_id))


def may_rest() -> Q:
    """For a query of accounts: whether `trouble()` may have anything to tell."""
    throttled = CallBudget.objects.filter(credential=OuterRef("credential"), paused_since__isnull=False)
    return (
        Q(Exists(Pause.objects.filter(account=OuterRef("pk"))))
        | Q(Exists(throttled))
        | Q(Exists(_queued().filter(account=OuterRef("pk"), held_at__isnull=False)))
    )


def _resting(account_id: UUID, now: datetime) -> Sequence[Resting]:
    """What rests now; what is refused, until it works again."""
    rows = Pause.objects.filter(Q(refused=True) | Q(until__gt=now), account_id=account_id)
    return [
        Resting(Pause.Act(row.act), row.words, row.since, row.until, row.refused)
        for row in rows.order_by("since", "id")
    ]


def _throttled(account_id: UUID, now: datetime) -> tuple[datetime, str] | None:
    rows = CallBudget.objects.filter(credential__account=account_id, paused_until__gt=now)
    row = rows.values_list("paused_until", "pause_words").first()
    return (row[0], row[1]) if row and row[0] else None


def _waiting(account_id: UUID) -> Waiting:
    counts = _queued().filter(account_id=account_id).aggregate(all=Count("pk"), held=Count("held_at"))
    return Waiting(counts["all"], counts["held"])


def _queued() -> QuerySet[Command]:
    return Command.objects.filter(status=Status.QUEUED)
