"""How the whole thing runs, for the people who administer accounts. Four queries, however many accounts there are."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import FETCH_RAISE, Case, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Now

from commands.access import Right, Rights
from commands.actions.administration.heartbeats import believable
from commands.actions.notifications import alerts
from commands.models import Account, Artifact, Command, Heartbeat, Pause
from commands.queries.pauses import resting
from commands.queries.subqueries import SubqueryCount
from commands.queries.viewer_context import claimed
from commands.rules.artifact_reasons import NO_FAILURE
from commands.rules.states import Status

DOUBTFUL = 50  # commands listed; the counts are whole


@dataclass(frozen=True, slots=True)
class State:
    """Facts of the status page.

    `accounts` come by name, with their sync, their credential and its budget, and these annotations: counts named
    `count_…`, `has_administrator`, and of results that don't come `missing_until`, `missing_reason` and
    `missing_message` (of the last failure). `pauses` of downloads have the number of results that are `nearly_lost`.
    `heartbeats` have the `database_now` that they are judged by. `seen`: accounts whose commands the person may see.
    """

    accounts: Sequence[Account]
    pauses: Mapping[UUID, Sequence[Pause]]
    heartbeats: Sequence[Heartbeat]
    doubtful: Sequence[Command]
    seen: Collection[UUID]


def administered(rights: Rights) -> Q | None:
    """Which accounts the person administers, as a condition; None: none at all."""
    if Right.ADMINISTER in rights.everywhere:
        return Q()
    ids = [id_ for id_, granted in rights.by_account.items() if Right.ADMINISTER in granted]
    return Q(id__in=ids) if ids else None


def state(rights: Rights, which: Q, *, now: datetime) -> State:
    """Of the accounts in use that `which` names. Commands are listed where the person may see them."""
    accounts = list(_accounts(which, now))
    ids = [account.id for account in accounts]
    pauses: dict[UUID, list[Pause]] = defaultdict(list)
    resting_now = Pause.objects.filter(resting(now), account__in=ids).annotate(nearly_lost=_nearly_lost(now))
    for pause in resting_now.order_by("since", "id"):
        pauses[pause.account_id].append(pause)
    seen = [id_ for id_ in ids if Right.SEE in rights.within(id_)]
    doubtful = _doubtful(now).filter(account__in=seen).select_related("account", "dispatch", "requested_by")
    return State(
        accounts=accounts,
        pauses=pauses,
        heartbeats=list(Heartbeat.objects.annotate(database_now=Now()).filter(believable()).order_by("role", "id")),
        doubtful=list(doubtful.fetch_mode(FETCH_RAISE).order_by("-id")[:DOUBTFUL]),
        seen=seen,
    )


def _doubtful(now: datetime) -> QuerySet[Command]:
    """Those of which nobody knows what became of them, as long as they are looked for."""
    looked_for = Q(status=Status.UNCONFIRMED, status_at__gt=now - settings.UNCONFIRMED_DAILY_FOR)
    either = Command.objects.filter(status__in=[Status.UNCERTAIN, Status.UNCONFIRMED])  # by the index
    return either.filter(Q(status=Status.UNCERTAIN) | looked_for)


def _nearly_lost(now: datetime) -> Case:
    """Counted only where downloads rest."""
    missing = alerts.nearly_lost(now).filter(command__account=OuterRef("account"))
    return Case(When(act=Pause.Act.DOWNLOAD, then=SubqueryCount(missing.values("id"))), default=0)


def _accounts(which: Q, now: datetime) -> QuerySet[Account]:
    queued = Command.objects.filter(status=Status.QUEUED, dispatch=None)
    barred = Command.objects.filter(status=Status.QUEUED, dispatch__isnull=False)
    rows = Account.objects.active().filter(which).select_related("sync", "credential__budget")
    return rows.annotate(
        count_queued=_count(queued),
        count_held=_count(queued.filter(held_at__isnull=False)),
        count_barred=_count(barred),
        count_claimed=claimed(),
        count_doubtful=_count(_doubtful(now)),
        **_missing(now),
        has_administrator=Exists(alerts.administrators_of(OuterRef("pk"))),
    ).order_by("name", "id")


def _missing(now: datetime) -> dict[str, Any]:
    """How many results are not here, when Cloudflare deletes the first and why the last one failed; counted only where
    one has failed, or is nearly lost."""
    missing = Artifact.objects.to_fetch().filter(command__account=OuterRef("pk"))
    failed = missing.exclude(reason_code__in=sorted(NO_FAILURE))
    soon = missing.filter(deleted_remotely_at__lte=now + settings.ARTIFACT_URGENT)
    told = When(Exists(failed) | Exists(soon), then=SubqueryCount(missing.values("id")))
    return {
        "count_missing": Case(told, default=0),
        "missing_until": Subquery(missing.order_by("deleted_remotely_at", "id").values("deleted_remotely_at")[:1]),
        "missing_reason": Subquery(failed.order_by("-status_at", "id").values("reason_code")[:1]),
        "missing_message": Subquery(failed.order_by("-status_at", "id").values("remote_message")[:1]),
    }


def _count(commands: QuerySet[Command]) -> Coalesce:
    counted = commands.filter(account=OuterRef("pk")).order_by().values("account").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
