"""Celery tasks. Each one loads its account by id and calls one action. Business rules are in `actions/`.

The database knows what is due, so beat starts a lost task again. There are two queues (dexportal/celery/app.py): `talk`
for short calls, and `fetch` for files. Every `now` is the database's time, so that workers on several machines share
one clock. A worker whose own clock is wrong does no harm, as long as it is wrong by less than MESSAGE_LIFE.
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
from commands.actions.notifications import delivery as notifications
from commands.actions.results import cleanup
from commands.actions.results import fetch as collecting
from commands.actions.sending import claim
from commands.actions.sending import deliver as delivering
from commands.actions.upstream import directory, probe
from commands.models import Account
from commands.wakeup import wake


class BeatTask(Task):  # type: ignore[type-arg]  # generic for the type checker only
    """Task of the beat schedule. If messages piled up while no worker was running, only one of them runs.

    The others would find the same work again, and send the same wake-ups once more.
    """

    _last_run = float("-inf")  # seconds of the monotonic clock

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.get("celery_beat_task"):
            interval: float = self.app.conf.beat_schedule[self.name.rpartition(".")[2]]["schedule"].seconds
            now = time.monotonic()
            if now - self._last_run < interval / 2:
                return None
            self._last_run = now
        return self.run(*args, **kwargs)


def _active_account(account_id: str) -> Account | None:
    """Load the account with its credential. None if it was retired meanwhile, or belongs to another upstream."""
    return Account.objects.active().filter(id=UUID(account_id)).select_related("credential").first()


def _may_continue() -> bool:
    """Return False once the worker must stop. It finishes the call or chunk in progress and leaves the rest queued."""
    return worker.should_stop is None and worker.should_terminate is None


@shared_task(base=BeatTask)
def deliver_due() -> None:
    """Wake a delivery for each account with queued commands."""
    for account_id in claim.accounts_with_queued(now=clock.database_now()):
        wake(deliver_account, str(account_id))


@shared_task
def deliver_account(account_id: str) -> None:
    """Send POST after POST until no command of the account can be sent now."""
    while _may_continue() and (account := _active_account(account_id)) is not None:
        if not delivering.deliver(account, now=clock.database_now()):
            return
        schedule.schedule_listing_by(account.id, at=clock.database_now())
        wake(sync_account, account_id)


@shared_task(base=BeatTask)
def settle_due() -> None:
    settle.settle(now=clock.database_now())


@shared_task(base=BeatTask)
def sync_due() -> None:
    for account_id in schedule.due_accounts(now=clock.database_now()):
        wake(sync_account, str(account_id))


@shared_task
def sync_account(account_id: str) -> None:
    account = _active_account(account_id)
    if account is not None and syncing.sync(account, now=clock.database_now()):
        wake(collect_due)


@shared_task(base=BeatTask)
def directory_due() -> None:
    for account_id in directory.due_accounts(now=clock.database_now()):
        wake(directory_account, str(account_id))


@shared_task
def directory_account(account_id: str) -> None:
    account = _active_account(account_id)
    if account is not None:
        directory.refresh(account, now=clock.database_now())


@shared_task(base=BeatTask)
def collect_due() -> None:
    """Download file after file until none is due."""
    while _may_continue() and collecting.collect(now=clock.database_now, is_wanted=_may_continue):
        pass


@shared_task(base=BeatTask)
def sweep_due() -> None:
    cleanup.sweep(now=clock.database_now(), is_wanted=_may_continue)


@shared_task(base=BeatTask)
def alerts_due() -> None:
    """Email administrators about refusals, and retest what Cloudflare refuses."""
    notifications.send_due_alerts(now=clock.database_now())
    probe.probe()
