"""The figures of /metrics, read from the database at each scrape: five queries, whatever there is in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from commands.actions.administration.heartbeats import believable
from commands.actions.notifications import alerts
from commands.models import Account, Artifact, Command, Heartbeat, Pause
from commands.queries import viewer_context
from commands.queries.pauses import resting
from commands.queries.subqueries import SubqueryCount
from commands.rules.ids import first_id
from commands.rules.states import DONE, OPEN, Status

QUERIES = 5
WINDOW = timedelta(days=1)  # of outcomes and durations: a whole history would take seconds to count


@dataclass(frozen=True, slots=True)
class Open:
    """`held`: how many wait for a person's word. `oldest_unsent_at`: of those that nothing but a POST is waited for."""

    account_id: UUID
    status: str
    count: int
    held: int
    oldest_unsent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Commands asked for here within WINDOW that have ended; `took` from asking to their end, the mean."""

    account_id: UUID
    kind: str
    status: str
    count: int
    took: timedelta


@dataclass(frozen=True, slots=True)
class Figures:
    """`accounts` of the upstream in force, with sync and the credential's budget; `claimed` since the quota was
    read, `artifacts_wanted` and, of these, `artifacts_deleted_soon`. `heartbeats` with their `age`, by the clock
    that wrote them. `pauses`: what rests now, or is tried again.
    """

    accounts: Sequence[Account]
    open: Sequence[Open]
    outcomes: Sequence[Outcome]
    pauses: Sequence[Pause]
    heartbeats: Sequence[Heartbeat]


def figures(*, now: datetime) -> Figures:
    return Figures(
        accounts=list(_accounts(now).order_by("id")),
        open=_open(),
        outcomes=_outcomes(now),
        pauses=list(Pause.objects.filter(resting(now)).order_by("id")),
        heartbeats=list(Heartbeat.objects.filter(believable()).annotate(age=Now() - F("seen_at")).order_by("id")),
    )


def _accounts(now: datetime) -> QuerySet[Account]:
    rows = Account.objects.active().select_related("sync", "credential__budget")
    own = Q(command__account=OuterRef("pk"))
    return rows.annotate(
        claimed=viewer_context.claimed(),
        artifacts_wanted=SubqueryCount(Artifact.objects.to_fetch().filter(own).values("id")),
        artifacts_deleted_soon=SubqueryCount(alerts.nearly_lost(now).filter(own).values("id")),
    )


def _open() -> list[Open]:
    rows = Command.objects.filter(status__in=sorted(OPEN)).order_by().values("account_id", "status")
    counted = rows.annotate(
        count=Count("pk"),
        held=Count("pk", filter=Q(status=Status.QUEUED, held_at__isnull=False)),
        oldest=Min("requested_at", filter=Q(status=Status.QUEUED, held_at=None, dispatch=None)),
    )
    return [Open(row["account_id"], row["status"], row["count"], row["held"], row["oldest"]) for row in counted]


def _outcomes(now: datetime) -> list[Outcome]:
    took = ExpressionWrapper(F("status_at") - F("requested_at"), output_field=DurationField())
    rows = Command.objects.ours().filter(id__gte=first_id(now - WINDOW), status__in=sorted(DONE)).order_by()
    counted = rows.values("account_id", "kind", "status").annotate(count=Count("pk"), took=Avg(took))
    return [Outcome(row["account_id"], row["kind"], row["status"], row["count"], row["took"]) for row in counted]
