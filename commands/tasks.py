"""What the workers do: load by id, one action. The database says what is due; a task that is lost is found by beat.

Two queues (dexportal/celery.py): `talk` for short calls, `fetch` for files. Every `now` is the database's: workers of
several machines have one clock, and one whose own is wrong does no harm.
"""

from uuid import UUID

from celery import shared_task
from celery.worker import state as worker

from commands.actions import claims, directory, heartbeats, listings, queue, reconcile, tell
from commands.actions import collect as collecting
from commands.actions import deliver as delivering
from commands.actions import sync as syncing
from commands.models import Account, Heartbeat
from dexportal.wake import wake


def _in_force(account_id: str) -> Account | None:
    """The account with its credential, as it is now; None for one that is retired or of another upstream."""
    return Account.objects.in_force().filter(id=UUID(account_id)).select_related("credential").first()


def _is_wanted() -> bool:
    """False once the worker was told to stop: it finishes what it is at, and the rest waits in the database."""
    return worker.should_stop is None and worker.should_terminate is None


@shared_task
def deliver_due() -> None:
    """Wake one delivery for every account with something to send."""
    for account_id in queue.accounts_with_queued(now=claims.database_now()):
        wake(deliver_account, str(account_id))


@shared_task
def deliver_account(account_id: str) -> None:
    """Send POST after POST until nothing of the account may go now."""
    while _is_wanted() and (account := _in_force(account_id)) is not None:
        if not delivering.deliver(account, now=claims.database_now()):
            return
        listings.hurry(account.id, at=claims.database_now())
        wake(sync_account, account_id)


@shared_task
def settle_due() -> None:
    reconcile.settle(now=claims.database_now())


@shared_task
def sync_due() -> None:
    for account_id in listings.due_accounts(now=claims.database_now()):
        wake(sync_account, str(account_id))


@shared_task
def sync_account(account_id: str) -> None:
    account = _in_force(account_id)
    if account is not None and syncing.sync(account, now=claims.database_now()):
        wake(collect_due)


@shared_task
def directory_due() -> None:
    for account_id in directory.due_accounts(now=claims.database_now()):
        wake(directory_account, str(account_id))


@shared_task
def directory_account(account_id: str) -> None:
    account = _in_force(account_id)
    if account is not None:
        directory.refresh(account, now=claims.database_now())


@shared_task
def collect_due() -> None:
    """Fetch file after file until none is wanted now."""
    while _is_wanted() and collecting.collect(now=claims.database_now):
        pass


@shared_task
def tell_due() -> None:
    """Mail the admins what Cloudflare refuses."""
    tell.tell(now=claims.database_now())


@shared_task
def beat_heartbeat() -> None:
    heartbeats.beat(Heartbeat.Role.BEAT, now=claims.database_now())


@shared_task
def talk_heartbeat() -> None:
    heartbeats.beat(Heartbeat.Role.TALK, now=claims.database_now())


@shared_task
def fetch_heartbeat() -> None:
    heartbeats.beat(Heartbeat.Role.FETCH, now=claims.database_now())
