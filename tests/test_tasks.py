"""Celery tasks: what each does, and which task it wakes next."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery.worker import state as worker
from django.utils import timezone

from commands import tasks
from commands.actions.administration.accounts import retire_account
from commands.actions.listing import schedule
from commands.actions.results import fetch as collecting
from commands.actions.sending import deliver as delivering
from commands.actions.sending.deliver import deliver
from commands.models import Account, AccountSync, Command, Device
from tests.actions import conftest as fixtures
from tests.actions.world import DIAG, QUICK_END, World

pytestmark = pytest.mark.django_db

_running, world = fixtures._running, fixtures.world

type Capture = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def woken(world: World, settings: Any, django_capture_on_commit_callbacks: Capture) -> Callable[..., list[str]]:
    """Return a function that runs a task and returns the messages it sent, as "task id"."""
    settings.BROKER_URL = "spool://localhost"  # whose messages can be looked at, also where the others use Redis
    folder = Path(settings.BROKER_DIR) / "messages"

    def run(task: Callable[..., None], *args: str) -> list[str]:
        known = set(folder.glob("*.msg"))
        with django_capture_on_commit_callbacks(execute=True):
            task(*args)
        return list(_read(sorted(set(folder.glob("*.msg")) - known)))

    return run


def _read(messages: list[Path]) -> Iterator[str]:
    for path in messages:
        message = json.loads(path.read_text())
        args = json.loads(b64decode(message["body"]))[0]
        yield " ".join([message["headers"]["task"].removeprefix("commands.tasks."), *args])


def test_new_run_wakes_the_delivery(world: World, woken: Callable[..., list[str]]) -> None:
    account, device = world.account, world.device()
    assert woken(lambda: world.request(devices=[device]) and None) == [f"deliver_account {account.id}"]


def test_tasks_alone_take_a_command_from_queue_to_result(world: World, woken: Callable[..., list[str]]) -> None:
    (command,) = world.request(DIAG)
    id_ = str(world.account.id)
    assert woken(tasks.deliver_due) == [f"deliver_account {id_}"]
    assert woken(tasks.deliver_account, id_) == [f"sync_account {id_}"]
    assert world.status(command) == "PENDING_EXEC"
    world.configure(clock_offset=QUICK_END)
    assert woken(tasks.sync_due) == [f"sync_account {id_}"]
    assert woken(tasks.sync_account, id_) == ["collect_due"]
    assert world.status(command) == "SUCCESS"
    assert woken(tasks.collect_due) == []
    assert world.artifact(command).status == "stored"
    assert woken(tasks.deliver_due) == []
    assert len(world.created()) == 1


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(minutes=-4), timedelta(minutes=4), timedelta(days=30)])
def test_worker_with_a_wrong_clock_finds_a_created_command_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    (command,) = world.request()
    id_, real = str(world.account.id), timezone.now
    world.fault("reset", nth=1, when="after")
    monkeypatch.setattr(timezone, "now", lambda: real() + off)
    tasks.deliver_account(id_)
    assert world.status(command) == "uncertain"
    world.heal()
    world.forward(minutes=2)
    tasks.sync_account(id_)
    reloaded = world.reload(command)
    assert (reloaded.status, reloaded.remote_id, reloaded.match_uncertain) == (
        "SUCCESS",
        world.created()[0]["id"],
        False,
    )
    monkeypatch.setattr(timezone, "now", real)
    world.forward(minutes=31)
    assert world.account.id in schedule.due_accounts(now=world.now)
    (other,) = world.request(DIAG)
    tasks.deliver_account(id_)
    assert world.status(other) == "PENDING_EXEC"


def test_delivery_sends_posts_until_no_command_can_be_sent(world: World, settings: Any) -> None:
    settings.POST_DEVICES = 2
    commands = world.request(devices=world.devices[:5])
    tasks.deliver_account(str(world.account.id))
    assert {world.status(command) for command in commands} == {"PENDING_EXEC"}
    assert len(world.posts()) == 3


def test_stopping_worker_leaves_queued_commands_to_the_next_one(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.POST_DEVICES = 1
    world.request(devices=world.devices[:3])

    def one_more(account: Account, *, now: Any) -> bool:
        monkeypatch.setattr(worker, "should_stop", 0)  # what Celery sets on TERM
        return deliver(account, now=now)

    monkeypatch.setattr(delivering, "deliver", one_more)
    tasks.deliver_account(str(world.account.id))
    assert len(world.posts()) == 1
    tasks.collect_due()
    assert Command.objects.filter(status="queued").count() == 2


def test_stopping_worker_leaves_its_download_to_the_next_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    command = world.sent(options=DIAG)
    world.forward(QUICK_END)
    assert world.sync()
    real = collecting._download

    def stopped_meanwhile(*args: Any) -> None:
        monkeypatch.setattr(worker, "should_stop", 0)
        real(*args)

    monkeypatch.setattr(collecting, "_download", stopped_meanwhile)
    tasks.collect_due()
    artifact = world.artifact(command)
    assert (artifact.status, artifact.attempts, artifact.not_before) == ("wanted", 0, None)


def test_account_retired_during_a_delivery_sends_nothing_more(
    world: World,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.POST_DEVICES = 1
    world.request(devices=world.devices[:3])

    def deliver_and_retire(account: Account, **rest: Any) -> bool:
        sent = deliver(account, **rest)
        retire_account(account, now=timezone.now())
        return sent

    monkeypatch.setattr(delivering, "deliver", deliver_and_retire)
    tasks.deliver_account(str(world.account.id))
    assert len(world.posts()) == 1


@pytest.mark.parametrize("task", [tasks.deliver_account, tasks.sync_account, tasks.directory_account])
def test_tasks_ignore_missing_and_retired_accounts(
    world: World,
    woken: Callable[..., list[str]],
    task: Callable[[str], None],
) -> None:
    world.request()
    before = world.upstream.ledger()
    retire_account(world.account, now=timezone.now())
    assert woken(task, str(world.account.id)) == []
    assert woken(task, str(uuid4())) == []
    assert world.upstream.ledger() == before


def test_listing_that_is_not_due_sends_no_wakeup(world: World, woken: Callable[..., list[str]]) -> None:
    AccountSync.objects.filter(account=world.account).update(due_at=timezone.now() + timedelta(minutes=1))
    assert woken(tasks.sync_due) == []
    assert woken(tasks.sync_account, str(world.account.id)) == []


def test_directory_is_listed_when_due(world: World, woken: Callable[..., list[str]]) -> None:
    id_ = str(world.account.id)
    assert woken(tasks.directory_due) == [f"directory_account {id_}"]
    tasks.directory_account(id_)
    assert Device.objects.filter(account=world.account).exists()
    assert woken(tasks.directory_due) == []


def test_expired_command_is_settled(world: World) -> None:
    (command,) = world.request()
    Command.objects.filter(id=command.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    tasks.settle_due()
    assert world.status(command) == "expired"
