"""Pauses of an account as pages show them, and what waits for their end.

This is no query of its own. `pause_annotations` goes into a query of accounts, which then has a row for each pause, and
`pauses_from_rows` reads the pauses of one account from its rows. Whether a worker may call is `pauses.active_pause`'s
decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, F, OuterRef, Q, Subquery, When

from commands.clock import has_passed, is_ahead
from commands.models import Account, Artifact, Command
from commands.queries.subqueries import SubqueryCount
from commands.rules.pauses import CREDENTIAL_PROBLEMS, Operation
from commands.rules.states import Status
from commands.rules.wording.pauses import describe_pause


@dataclass(frozen=True, slots=True)
class ShownPause:
    """Pause of one operation. It is retried at `until`. If `refused`, an administrator needs to fix something."""

    operation: Operation
    reason_code: str
    remote_message: str
    http_status: int | None
    code: int | None
    since: datetime
    until: datetime
    refused: bool

    @property
    def is_credential_problem(self) -> bool:
        """Tell whether no call reached Cloudflare because dexportal has no usable credential."""
        return self.reason_code in CREDENTIAL_PROBLEMS

    @property
    def reason(self) -> str:
        """Sentence for people."""
        return describe_pause(self.reason_code, self.remote_message, http_status=self.http_status, code=self.code)


@dataclass(frozen=True, slots=True)
class RateLimitPause:
    """Pause of every call of the account's credential after a 429."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ExpiringResults:
    """Results that Cloudflare deletes within a day and that cannot be downloaded now."""

    count: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class AccountPauses:
    """All pauses of an account, and what waits for them.

    Attributes:
        held: commands that wait for "Send now".
        unsent: commands that wait to be sent, counted only while Cloudflare refuses commands.
        expiring: set only while downloads are paused.
    """

    pauses: Sequence[ShownPause] = ()
    rate_limit: RateLimitPause | None = None
    held: int = 0
    unsent: int = 0
    expiring: ExpiringResults | None = None

    def of(self, operation: Operation) -> ShownPause | None:
        return next((pause for pause in self.pauses if pause.operation is operation), None)


NO_PAUSES = AccountPauses()
_FIELDS = ("operation", "reason_code", "remote_message", "http_status", "code", "since", "until", "refused")


def shown_pauses(now: datetime) -> Q:
    """Build the condition for pauses that pages show.

    A refusal is shown until the operation works again. A network failure is shown also while the operation is retried:
    for as long after `until` as one attempt may take.
    """
    return Q(refused=True) | ~has_passed("until", now - settings.SYNC_LEASE)


def is_retrying(until: datetime, now: datetime) -> bool:
    """Return True if a pause ended just now, so that an attempt is under way if there is anything to do."""
    return not is_ahead(until, now) and _is_shown(until, now)


def _is_shown(until: datetime, now: datetime) -> bool:
    """Decide as `shown_pauses` does, for a network failure that was already read."""
    return is_ahead(until, now - settings.SYNC_LEASE)


def pause_annotations(now: datetime) -> Mapping[str, Any]:
    """Annotate a query of accounts, which has a row for each pause then."""
    unsent = Command.objects.filter(account=OuterRef("pk"), status=Status.QUEUED, dispatch=None)
    held = Command.objects.filter(account=OuterRef("pk"), status=Status.QUEUED, held_at__isnull=False)
    is_create_refused = Q(pauses__operation=Operation.CREATE, pauses__refused=True)
    expiring = Artifact.objects.expiring(now).filter(command__account=OuterRef("pk")).order_by("deleted_remotely_at")
    is_download = Q(pauses__operation=Operation.DOWNLOAD)
    first = Subquery(expiring.values("deleted_remotely_at")[:1])
    return {
        **{f"pause_{field}": F(f"pauses__{field}") for field in _FIELDS},
        "rate_limit_until": F("credential__budget__paused_until"),
        "rate_limit_reason_code": F("credential__budget__pause_reason_code"),
        "rate_limit_message": F("credential__budget__pause_remote_message"),
        "held": SubqueryCount(held.values("id")),
        "unsent": Case(When(is_create_refused, then=SubqueryCount(unsent.values("id"))), default=0),
        "expiring": Case(When(is_download, then=SubqueryCount(expiring.values("id"))), default=0),
        "expiring_first_at": Case(When(is_download, then=first), default=None),
    }


def pauses_from_rows(rows: Iterable[Account], *, now: datetime) -> AccountPauses:
    """Read the pauses of one account from its rows, which have what `pause_annotations` adds."""
    found: list[ShownPause] = []
    rate_limit, expiring, held, unsent = None, None, 0, 0
    for row in map(vars, rows):
        if row["pause_operation"] and (row["pause_refused"] or _is_shown(row["pause_until"], now)):
            operation, *values = (row[f"pause_{field}"] for field in _FIELDS)
            found.append(ShownPause(Operation(operation), *values))
            if row["expiring"]:
                expiring = ExpiringResults(row["expiring"], row["expiring_first_at"])
        if is_ahead(row["rate_limit_until"], now):
            reason = describe_pause(row["rate_limit_reason_code"], row["rate_limit_message"])
            rate_limit = RateLimitPause(row["rate_limit_until"], reason)
        held, unsent = row["held"], max(unsent, row["unsent"])
    found.sort(key=lambda pause: (pause.since, pause.operation))
    return AccountPauses(found, rate_limit, held, unsent, expiring)
