"""Figures of /metrics, read from the database at each scrape, with five queries however much there is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Min, OuterRef, Q
from django.db.models.functions import Now

from commands.models import Account, AccountSync, Artifact, CallBudget, Command, Heartbeat, Pause
from commands.queries import viewer_context
from commands.queries.pauses import shown_pauses
from commands.queries.subqueries import SubqueryCount
from commands.rules.ids import first_id
from commands.rules.states import DONE, OPEN, Status

QUERIES = 5
WINDOW = timedelta(days=1)  # of outcomes and durations: counting a whole history would take seconds


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """One active account.

    Attributes:
        claimed: commands sent since the quota was read.
        artifacts_wanted: results that are not downloaded yet.
        artifacts_deleted_soon: those of them that Cloudflare deletes within a day.
    """

    id: UUID
    cloudflare_id: str
    sync: AccountSync
    budget: CallBudget | None
    claimed: int
    artifacts_wanted: int
    artifacts_deleted_soon: int


@dataclass(frozen=True, slots=True)
class Open:
    """Open commands of one account and status.

    Attributes:
        held: those that wait for "Send now".
        oldest_unsent_at: request time of the oldest that only waits to be sent.
    """

    account_id: UUID
    status: str
    count: int
    held: int
    oldest_unsent_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """Commands requested here within WINDOW that have finished, and their mean time from request to end."""

    account_id: UUID
    kind: str
    status: str
    count: int
    took: timedelta


@dataclass(frozen=True, slots=True)
class HeartbeatAge:
    """Age of a process's last heartbeat, by the database's clock."""

    role: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one scrape. `pauses` are those that are active or being retried."""

    accounts: Sequence[AccountFigures]
    open: Sequence[Open]
    outcomes: Sequence[OutcomeCount]
    pauses: Sequence[Pause]
    heartbeats: Sequence[HeartbeatAge]


def figures(*, now: datetime) -> Figures:
    return Figures(
        accounts=_accounts(now),
        open=_open(),
        outcomes=_outcomes(now),
        pauses=list(Pause.objects.filter(shown_pauses(now)).order_by("id")),
        heartbeats=_heartbeats(),
    )


def _accounts(now: datetime) -> list[AccountFigures]:
    own = Q(command__account=OuterRef("pk"))
    rows = Account.objects.active().select_related("sync", "credential__budget")
    rows = rows.annotate(
        claimed=viewer_context.claimed(),
        artifacts_wanted=SubqueryCount(Artifact.objects.to_fetch().filter(own).values("id")),
        artifacts_deleted_soon=SubqueryCount(Artifact.objects.expiring(now).filter(own).values("id")),
    )
    return [_account(account) for account in rows.order_by("id")]


def _account(account: Account) -> AccountFigures:
    row: Mapping[str, Any] = vars(account)
    return AccountFigures(
        id=account.id,
        cloudflare_id=account.cloudflare_id,
        sync=account.sync,
        budget=account.credential.budget if account.credential else None,
        claimed=row["claimed"],
        artifacts_wanted=row["artifacts_wanted"],
        artifacts_deleted_soon=row["artifacts_deleted_soon"],
    )


def _open() -> list[Open]:
    rows = Command.objects.filter(status__in=sorted(OPEN)).order_by().values("account_id", "status")
    counted = rows.annotate(
        count=Count("pk"),
        held=Count("pk", filter=Q(status=Status.QUEUED, held_at__isnull=False)),
        oldest=Min("requested_at", filter=Q(status=Status.QUEUED, held_at=None, dispatch=None)),
    )
    return [Open(row["account_id"], row["status"], row["count"], row["held"], row["oldest"]) for row in counted]


def _outcomes(now: datetime) -> list[OutcomeCount]:
    took = ExpressionWrapper(F("status_at") - F("requested_at"), output_field=DurationField())
    rows = Command.objects.ours().filter(id__gte=first_id(now - WINDOW), status__in=sorted(DONE)).order_by()
    counted = rows.values("account_id", "kind", "status").annotate(count=Count("pk"), took=Avg(took))
    return [OutcomeCount(row["account_id"], row["kind"], row["status"], row["count"], row["took"]) for row in counted]


def _heartbeats() -> list[HeartbeatAge]:
    rows = Heartbeat.objects.credible().annotate(age=Now() - F("seen_at")).order_by("id")
    return [HeartbeatAge(role, age) for role, age in rows.values_list("role", "age")]
