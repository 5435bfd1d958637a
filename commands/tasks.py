"""What the workers do: load by id, one action. The database says what is due; a task that is lost is found by beat.

Two queues (dexportal/celery.py): `talk` for short calls, `fetch` for files. Every `now` is the database's: workers of
several machines have one clock, and one whose own is wrong, by less than MESSAGE_LIFE, does no harm.
"""

import time
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.worker import state as worker

from commands import clock
from commands.actions import settle
from commands.actions.listing import schedule
from commands.actions.listing import sync as syncing
from commands.actions.notifications import alerts
from commands.actions.results import cleanup
from commands.actions.results import fetch as collecting
from commands.actions.sending import claim
from commands.actions.sending import deliver as delivering
from commands.actions.upstream import directory, probe
from commands.models import Account
from commands.wakeup import wake


class FromBeat(Task):  # type: ignore[type-arg]  # generic for the type checker only
    """Of beat's messages that piled up while no worker took them, one is run: the others would find the same work, and
    wake everybody for it once more."""

    _run_at = float("-inf")  # seconds of the monotonic clock

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.get("celery_beat_task"):
            interval: float = self.app.conf.beat_schedule[self.name.rpartition(".")[2]]["schedule"].seconds
            now = time.monotonic()
            if now - self._run_at < interval / 2:
                return None
            self._run_at = now
        return self.run(*args, **kwargs)


def _in_force(account_id: str) -> Account | None:
    """The account with its credential, as it is now; None for one that is retired or of another upstream."""
    return Account.objects.active().filter(id=UUID(account_id)).select_related("credential").first()


def _is_wanted() -> bool:
    """False once the worker was told to stop: it ends its call or its piece of a file, and the rest waits."""
    return worker.should_stop is None and worker.should_terminate is None


@shared_task(base=FromBeat)
def deliver_due() -> None:
    """Wake one delivery for every account with something to send."""
    for account_id in claim.accounts_with_queued(now=clock.database_now()):
        wake(deliver_account, str(account_id))


@shared_task
def deliver_account(account_id: str) -> None:
    """Send POST after POST until nothing of the account may go now."""
    while _is_wanted() and (account := _in_force(account_id)) is not None:
        if not delivering.deliver(account, now=clock.database_now()):
            return
        schedule.schedule_listing_by(account.id, at=clock.database_now())
        wake(sync_account, account_id)


@shared_task(base=FromBeat)
def settle_due() -> None:
    settle.settle(now=clock.database_now())


@shared_task(base=FromBeat)
def sync_due() -> None:
    for account_id in schedule.due_accounts(now=clock.database_now()):
        wake(sync_account, str(account_id))


@shared_task
def sync_account(account_id: str) -> None:
    account = _in_force(account_id)
    if account is not None and syncing.sync(account, now=clock.database_now()):
        wake(collect_due)


@shared_task(base=FromBeat)
def directory_due() -> None:
    for account_id in directory.due_accounts(now=clock.database_now()):
        wake(directory_account, str(account_id))


@shared_task
def directory_account(account_id: str) -> None:
    account = _in_force(account_id)
    if account is not None:
        directory.refresh(account, now=clock.database_now())


@shared_task(base=FromBeat)
def collect_due() -> None:
    """Fetch file after file until none is wanted now."""
    while _is_wanted() and collecting.collect(now=clock.database_now, is_wanted=_is_wanted):
        pass


@shared_task(base=FromBeat)
def sweep_due() -> None:
    cleanup.sweep(now=clock.database_now(), is_wanted=_is_wanted)


@shared_task(base=FromBeat)
def tell_due() -> None:
    """Mail the admins what Cloudflare refuses, and ask whether it still does."""
    alerts.tell(now=clock.database_now())
    probe.probe()
