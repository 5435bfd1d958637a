"""Claim of the next artifact to fetch: one at a time per account, the one that Cloudflare deletes first."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from commands import clock
from commands.actions.record import leases
from commands.actions.record.transitions import change_statuses
from commands.audit import PORTAL
from commands.models import Account, Artifact, Pause
from commands.rules.states import ArtifactStatus


def fetchable_accounts(now: datetime) -> QuerySet[Account]:
    """Return active accounts whose downloads are not paused."""
    paused = Pause.objects.filter(operation=Pause.Operation.DOWNLOAD).exclude(clock.has_passed("until", now))
    accounts = Account.objects.active().exclude(id__in=paused.values("account_id"))
    return accounts.filter(clock.has_passed("credential__budget__paused_until", now))


def claim_artifact(now: datetime) -> Artifact | None:
    """Claim the most urgent artifact of an account from which no other worker is fetching. None if there is none."""
    artifacts = Artifact.objects.to_fetch().filter(attempts__lt=settings.ATTEMPTS)
    artifacts = artifacts.filter(command__account__in=fetchable_accounts(now)).order_by("deleted_remotely_at", "id")
    passed_over: set[UUID] = set()
    while True:
        with change_statuses(by=PORTAL, now=now) as changes:
            free = artifacts.filter(leases.is_free(clock.database_now()))
            busy = passed_over | set(_in_progress().values_list("command__account_id", flat=True))
            account_id = free.exclude(command__account__in=busy).values_list("command__account_id", flat=True).first()
            if account_id is None:
                return None
            artifact = _claim_of_account(account_id, artifacts)
            if artifact is not None:
                if artifact.status == ArtifactStatus.WANTED:
                    # After a failed attempt the history has its reason. One more "downloading" would only repeat.
                    is_first = not artifact.reason_code
                    changes.move_artifact(artifact, to=ArtifactStatus.FETCHING, tell=is_first)
                return artifact
        passed_over.add(account_id)


def _in_progress() -> QuerySet[Artifact]:
    over = clock.has_passed("lease_until", clock.database_now())
    return Artifact.objects.filter(status=ArtifactStatus.FETCHING).exclude(over)


def _claim_of_account(account_id: UUID, artifacts: QuerySet[Artifact]) -> Artifact | None:
    """Lease the account's first artifact. None while another worker claims, or fetches, one of this account.

    The lock on the account's row, held until the claim is committed, makes the look for other leases reliable: each
    statement of PostgreSQL sees what was committed before it. On SQLite no other transaction writes meanwhile.
    """
    locked = Account.objects.select_for_update(no_key=True, skip_locked=True).filter(id=account_id)
    if locked.first() is None or _in_progress().filter(command__account=account_id).exists():
        return None
    artifacts = artifacts.filter(command__account=account_id)
    if Pause.objects.filter(account=account_id, operation=Pause.Operation.DOWNLOAD).exists():
        # After a pause, rotate through the artifacts (oldest attempt first) until one succeeds.
        artifacts = artifacts.order_by("status_at", "deleted_remotely_at", "id")
    return leases.take(artifacts, lasting=settings.ARTIFACT_LEASE)
