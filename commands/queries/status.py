"""Status of the accounts that a person administers, and of the processes. Four queries for any number of accounts."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import FETCH_RAISE, Case, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from commands.access import Right, Rights, administrators_of
from commands.models import Account, AccountSync, Artifact, Command, Credential, Notification, Pause
from commands.queries import heartbeats
from commands.queries.heartbeats import ProcessHeartbeat
from commands.queries.pauses import shown_pauses
from commands.queries.subqueries import SubqueryCount
from commands.queries.viewer_context import claimed
from commands.rules.artifact_reasons import NO_FAILURE
from commands.rules.pauses import Operation
from commands.rules.states import Status

MOST_DOUBTFUL = 50  # commands listed; the counts are whole


@dataclass(frozen=True, slots=True)
class MissingResults:
    """Results that are not downloaded, where a download has failed or Cloudflare deletes one soon.

    Attributes:
        deleted_at: when Cloudflare deletes, or deleted, the first one.
        reason_code: why the last download failed. '' if none has.
    """

    count: int
    deleted_at: datetime
    reason_code: str
    remote_message: str


@dataclass(frozen=True, slots=True)
class AccountPause:
    """Pause of one operation, with what administrators know of it.

    Attributes:
        notified_at: when the administrators were notified of the present reason.
        is_email_failing: the mail server accepts no email about it.
        expiring: results that Cloudflare deletes soon, counted only while downloads are paused.
    """

    pause: Pause
    notified_at: datetime | None
    is_email_failing: bool
    expiring: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account in use, with counts of its commands.

    Attributes:
        queued: commands that wait to be sent.
        held: those of them that wait for "Send now".
        barred: commands from before a restore, which are looked for and not sent.
        claimed: commands sent since the quota was read.
        can_notify: an administrator of the account has an email address.
    """

    account: Account
    sync: AccountSync
    credential: Credential
    pauses: Sequence[AccountPause]
    queued: int
    held: int
    barred: int
    claimed: int
    doubtful: int
    missing: MissingResults | None
    can_notify: bool


@dataclass(frozen=True, slots=True)
class PortalState:
    """All that the status page shows.

    Attributes:
        accounts: by name.
        doubtful: the newest commands whose outcome is unknown, where the person may see commands.
        seen: the accounts whose commands the person may see.
    """

    accounts: Sequence[AccountState]
    heartbeats: Sequence[ProcessHeartbeat]
    doubtful: Sequence[Command]
    seen: Collection[UUID]


def administered(rights: Rights) -> Q | None:
    """Return a condition for the accounts that the person administers, or None if there are none."""
    if Right.ADMINISTER in rights.everywhere:
        return Q()
    ids = [id_ for id_, granted in rights.by_account.items() if Right.ADMINISTER in granted]
    return Q(id__in=ids) if ids else None


def state(rights: Rights, which: Q, *, now: datetime) -> PortalState:
    """Read the state of the active accounts that `which` names. Commands are listed where the person may see them."""
    rows = list(_accounts(which, now))
    ids = [account.id for account in rows]
    pauses = _pauses(ids, now)
    seen = [id_ for id_ in ids if Right.SEE in rights.within(id_)]
    doubtful = _doubtful(now).filter(account__in=seen).select_related("account", "dispatch", "requested_by")
    return PortalState(
        accounts=[_account_state(account, pauses.get(account.id, ())) for account in rows],
        heartbeats=heartbeats.processes(),
        doubtful=list(doubtful.fetch_mode(FETCH_RAISE).order_by("-id")[:MOST_DOUBTFUL]),
        seen=seen,
    )


def _account_state(account: Account, pauses: Sequence[AccountPause]) -> AccountState:
    row: Mapping[str, Any] = vars(account)
    assert account.credential is not None  # active accounts have one
    return AccountState(
        account=account,
        sync=account.sync,
        credential=account.credential,
        pauses=pauses,
        queued=row["count_queued"],
        held=row["count_held"],
        barred=row["count_barred"],
        claimed=row["count_claimed"],
        doubtful=row["count_doubtful"],
        missing=_missing_results(row),
        can_notify=row["can_notify"],
    )


def _missing_results(row: Mapping[str, Any]) -> MissingResults | None:
    if row["missing_until"] is None or not row["count_missing"]:
        return None
    reason, message = row["missing_reason"] or "", row["missing_message"] or ""
    return MissingResults(row["count_missing"], row["missing_until"], reason, message)


def _pauses(account_ids: Sequence[UUID], now: datetime) -> Mapping[UUID, Sequence[AccountPause]]:
    about = Notification.objects.about_pause()
    refusals = about.filter(kind=Notification.Kind.REFUSED)
    rows = Pause.objects.filter(shown_pauses(now), account__in=account_ids).annotate(
        notified_at=Subquery(about.sent().order_by("-sent_at").values("sent_at")[:1]),
        has_news=Exists(refusals.pending()),
        is_email_failing=Exists(about.failing()),
        expiring=_expiring(now),
    )
    found: dict[UUID, list[AccountPause]] = defaultdict(list)
    for pause in rows.order_by("since", "id"):
        row: Mapping[str, Any] = vars(pause)
        notified_at = None if row["has_news"] else row["notified_at"]
        is_failing = pause.refused and row["is_email_failing"]
        found[pause.account_id].append(AccountPause(pause, notified_at, is_failing, row["expiring"]))
    return found


def _doubtful(now: datetime) -> QuerySet[Command]:
    """Filter commands whose outcome is unknown, for as long as dexportal checks Cloudflare's list for them."""
    is_checked = Q(status=Status.UNCONFIRMED, status_at__gt=now - settings.UNCONFIRMED_DAILY_FOR)
    either = Command.objects.filter(status__in=[Status.UNCERTAIN, Status.UNCONFIRMED])  # by the index
    return either.filter(Q(status=Status.UNCERTAIN) | is_checked)


def _expiring(now: datetime) -> Case:
    """Count results that Cloudflare deletes soon, only where downloads are paused."""
    expiring = Artifact.objects.expiring(now).filter(command__account=OuterRef("account"))
    return Case(When(operation=Operation.DOWNLOAD, then=SubqueryCount(expiring.values("id"))), default=0)


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
        can_notify=Exists(administrators_of(OuterRef("pk"))),
    ).order_by("name", "id")


def _missing(now: datetime) -> dict[str, Any]:
    """Count results that are not downloaded, only where a download has failed or Cloudflare deletes one soon."""
    missing = Artifact.objects.to_fetch().filter(command__account=OuterRef("pk"))
    failed = missing.exclude(reason_code__in=sorted(NO_FAILURE))
    soon = missing.filter(deleted_remotely_at__lte=now + settings.ARTIFACT_URGENT)
    is_worth_counting = When(Exists(failed) | Exists(soon), then=SubqueryCount(missing.values("id")))
    return {
        "count_missing": Case(is_worth_counting, default=0),
        "missing_until": Subquery(missing.order_by("deleted_remotely_at", "id").values("deleted_remotely_at")[:1]),
        "missing_reason": Subquery(failed.order_by("-status_at", "id").values("reason_code")[:1]),
        "missing_message": Subquery(failed.order_by("-status_at", "id").values("remote_message")[:1]),
    }


def _count(commands: QuerySet[Command]) -> Coalesce:
    counted = commands.filter(account=OuterRef("pk")).order_by().values("account").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
