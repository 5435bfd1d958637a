"""Pauses stop one operation only, and old commands are held after a long one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from commands import tasks
from commands.actions.administration.accounts import change_credential
from commands.actions.results.fetch import collect as collect_one
from commands.actions.results.spool import spool_path
from commands.actions.sending import holds
from commands.actions.sending.deliver import deliver
from commands.actions.sending.submit import Submitted, submit_run
from commands.actions.upstream import directory
from commands.actions.upstream.rate_limit import NotNow, spend
from commands.cloudflare.types import Call
from commands.models import Account, AccountDirectory, AccountSync, Command, Device, Event, Notification, Pause
from commands.rules.kinds import Kind
from commands.rules.states import Status
from dexportal.run.programs import TALK_THREADS
from tests.actions.world import BOTH, QUICK_END, World, refusal
from tests.people import make_account, make_credential, make_person
from tests.polling import MAX_WAIT

pytestmark = pytest.mark.django_db

REFUSALS = [401, 403, 404]


# --- Only the refused operation is paused ---


@pytest.mark.parametrize("status", REFUSALS)
def test_refused_post_pauses_only_sending_and_keeps_commands_queued(world: World, status: int) -> None:
    (command,) = world.request()
    world.faults(refusal("create", status))
    assert world.deliver()
    assert (world.status(command), set(world.pauses())) == ("queued", {"create"})
    assert not world.deliver()
    world.heal()
    assert world.sync(complete=True)
    assert directory.refresh(world.account, now=world.now + timedelta(minutes=10)) > 0
    world.forward(minutes=6)
    assert world.deliver()
    assert (world.status(command), world.pauses()) == ("PENDING_EXEC", {})
    assert len(world.created_for(command)) == 1


@pytest.mark.parametrize("status", REFUSALS)
def test_refused_listing_pauses_only_listing(world: World, status: int) -> None:
    (command,) = world.request()
    world.faults(refusal("list", status))
    assert not world.sync(complete=True)
    assert set(world.pauses()) == {"list"}
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"


def test_refused_download_pauses_only_downloads(world: World) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    world.sync()
    world.faults(refusal("download"), refusal("fallback_download"))
    assert collect_one(now=lambda: world.now)
    assert set(world.pauses()) == {"download"}
    assert not collect_one(now=lambda: world.now)
    assert world.artifact(command).status == "wanted"
    assert world.request()
    assert world.deliver()
    assert world.sync()
    world.heal()
    world.forward(minutes=6)
    assert collect_one(now=lambda: world.now)
    assert spool_path(world.artifact(command)).exists() is False
    assert (world.artifact(command).status, world.pauses()) == ("stored", {})


def test_refused_directory_pauses_only_the_directory(world: World) -> None:
    (command,) = world.request()
    AccountDirectory.objects.update(due_at=None)
    world.faults(refusal("devices"), refusal("quota"))
    assert directory.refresh(world.account, now=world.now) == 0
    assert set(world.pauses()) == {"directory"}
    assert world.deliver()
    assert world.sync()
    assert world.status(command) == "PENDING_EXEC"


def test_429_pauses_all_calls_of_the_credential_until_its_time(world: World) -> None:
    (command,) = world.request()
    world.fault("throttle", seconds=120)
    assert world.deliver()
    assert (world.status(command), world.pauses()) == ("queued", {})
    assert world.account.credential_id is not None
    with pytest.raises(NotNow, match="rate_limited"):
        spend(world.account.credential_id, Call.LIST)
    world.heal()
    world.forward(seconds=60)
    assert not world.deliver()
    world.forward(seconds=61)
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"


def test_pauses_of_an_unreachable_upstream_grow_up_to_the_longest(world: World, settings: Any) -> None:
    device = world.device()
    settings.UPSTREAM = replace(settings.UPSTREAM, url="http://127.0.0.1:1/v4")
    rests = []
    for _ in range(9):
        world.request(devices=[device])
        assert world.deliver()
        pause = world.pauses()["create"]
        rests.append(pause.until - world.now)
        world.forward(rests[-1].total_seconds() + 0.5)
    seconds = [round(rest.total_seconds()) for rest in rests]
    assert seconds[:4] == [5, 10, 20, 40]
    assert seconds[-1] == settings.PAUSE_MAX.total_seconds()
    assert not world.pauses()["create"].refused


def test_queued_commands_expire_during_an_endless_pause(world: World) -> None:
    (command,) = world.request()
    world.faults(refusal("create"))
    world.deliver()
    world.forward(minutes=61)
    world.settle()
    assert world.status(command) == "expired"
    assert world.created() == []


# --- Held after a long pause ---


def _refused_for(world: World, *, minutes: float) -> None:
    """Refuse sending from now on, and try again whenever its pause is over."""
    world.faults(refusal("create"))
    assert world.deliver()
    for _ in range(int(minutes // 5)):
        world.forward(minutes=5, seconds=1)
        assert world.deliver()


def _long_pause(world: World) -> tuple[Command, Command]:
    """Pause sending for 11 minutes. Returns a command from before it, and one requested 5 minutes later."""
    (before,) = world.request()
    _refused_for(world, minutes=5)
    (during,) = world.request(devices=[world.device("linux")])
    world.forward(minutes=6)
    world.settle()
    world.heal()
    return world.reload(before), world.reload(during)


def test_after_a_long_pause_old_commands_wait_for_send_now_and_new_ones_are_sent(world: World) -> None:
    before, during = _long_pause(world)
    assert (before.held_at, during.held_at) == (world.reload(before).held_at, None)
    assert before.held_at is not None
    assert before.reason_code == "held_after_pause"
    while world.deliver():
        pass
    assert (world.status(before), world.status(during)) == ("queued", "PENDING_EXEC")
    assert holds.release(commands=[before.id, during.id], by=world.person, now=world.now) == [before.id]
    assert world.deliver()
    assert world.status(before) == "PENDING_EXEC"
    assert [len(world.created_for(command)) for command in (before, during)] == [1, 1]
    tried = ["sending", "queued"] * 2
    assert world.story(before) == ["queued", *tried, "held", "send_now", "sending", "PENDING_EXEC"]
    event = Event.objects.get(command=before, event="send_now")
    assert (event.by, event.mover) == (world.person, "person")


def test_more_old_commands_than_one_claim_holds_are_all_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MOST", 2)
    commands = world.request(targets=world.targets(world.devices[:5]))
    world.faults(refusal("create"))
    for _ in range(3):
        world.deliver()
        world.forward(minutes=6)
    world.heal()
    for _ in range(4):
        assert not world.deliver()
    assert all(world.reload(command).held_at for command in commands)


def test_after_a_short_pause_all_commands_are_sent(world: World) -> None:
    (command,) = world.request()
    world.faults(refusal("create"))
    world.deliver()
    world.heal()
    world.forward(minutes=6)
    world.settle()
    assert world.reload(command).held_at is None
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"


def test_single_failure_holds_nothing_even_if_nothing_was_sent_for_long_after_it(world: World) -> None:
    first, second = world.request(BOTH)
    world.fault("reset", nth=1, when="after")
    assert world.deliver()
    assert (world.status(first), world.status(second)) == ("uncertain", "queued")
    world.heal()
    world.forward(minutes=11)
    world.settle()
    assert set(world.pauses()) == {"create"}
    assert world.reload(second).held_at is None


def test_claim_holds_old_commands_if_settle_did_not_run(world: World) -> None:
    (command,) = world.request()
    _refused_for(world, minutes=5)
    world.heal()
    world.forward(minutes=6)
    assert not world.deliver()
    assert world.reload(command).held_at is not None


def test_long_rate_limiting_holds_old_commands(world: World) -> None:
    (command,) = world.request()
    world.fault("throttle", seconds=400)
    assert world.deliver()
    world.forward(seconds=401)
    assert world.deliver()
    world.forward(seconds=300)
    world.settle()
    assert world.reload(command).held_at is not None


def test_command_released_during_a_pause_is_not_held_again(world: World) -> None:
    before, _ = _long_pause(world)
    holds.release(commands=[before.id], by=world.person, now=world.now)
    world.settle()
    assert world.reload(before).held_at is None


def test_released_command_is_not_released_twice(world: World) -> None:
    before, _ = _long_pause(world)
    holds.release(commands=[before.id], by=world.person, now=world.now)
    assert holds.release(commands=[before.id], by=world.person, now=world.now) == []
    assert Event.objects.filter(command=before, event="send_now").count() == 1


def test_failure_long_after_the_last_one_begins_a_new_pause(world: World) -> None:
    (first,) = world.request()
    world.faults(refusal("create"))
    world.deliver()
    since = world.pauses()["create"].since
    world.forward(hours=3)
    world.settle()
    assert world.status(first) == "expired"
    (command,) = world.request()
    assert world.deliver()
    pause = world.pauses()["create"]
    assert (pause.since > since, pause.failures) == (True, 1)
    world.forward(minutes=5, seconds=1)
    assert world.deliver()
    world.forward(minutes=6)
    world.settle()
    assert world.reload(command).held_at is not None


# --- One account's trouble ---

OTHER = "ab" * 16


@pytest.mark.django_db(transaction=True)
def test_account_with_a_hanging_upstream_delays_no_other_account(world: World, settings: Any) -> None:
    """Run as many threads as the talk worker has. Each finds work of the hanging account first."""
    settings.GET_ATTEMPTS = 1
    settings.READ_TIMEOUT = settings.GET_DEADLINE = settings.POST_DEADLINE = timedelta(seconds=MAX_WAIT)
    first = world.upstream.control("GET", "config")["accounts"]
    world.configure(accounts=[*first, {"account_id": OTHER, "token": "another-token"}])
    world.request(BOTH)
    good = _other_account(world)
    world.faults({"match": {"account_id": world.account.cloudflare_id}, "effect": {"kind": "hang"}})
    AccountDirectory.objects.update(due_at=None)
    AccountSync.objects.update(due_at=None, complete_due_at=None)
    with ThreadPoolExecutor(TALK_THREADS) as pool, world.upstream.hangs_held():
        stuck = [pool.submit(_closing(task), str(world.account.id)) for task in _ALL * TALK_THREADS]
        went = pool.submit(_closing(lambda _: deliver(good, now=world.now)), str(good.id))
        assert went.result(MAX_WAIT) is True
        hanging = sum(not future.done() for future in stuck)
    # The listing may have found its row locked by a claim: then it comes with the next look of beat.
    assert hanging >= 3, "two POSTs and the directory were to hang meanwhile"
    assert Command.objects.get(account=good).status == "PENDING_EXEC"


_ALL: list[Callable[[str], object]] = [tasks.deliver_account, tasks.sync_account, tasks.directory_account]


def _closing(task: Callable[[str], object]) -> Callable[[str], object]:
    def begin(account_id: str) -> object:
        try:
            return task(account_id)
        finally:
            connection.close()

    return begin


def _other_account(world: World) -> Account:
    account = make_account("Other", cloudflare_id=OTHER, credential=make_credential("Other", value="another-token"))
    assert directory.refresh(account, now=world.now)
    device = Device.objects.filter(account=account, eligible=True).order_by("device_id")[0]
    options = {Kind.WARP_DIAG: {"test-all-routes": False}}
    targets = world.targets([device])
    result = submit_run(account=account, by=world.person, now=world.now, key=uuid4(), kinds=options, targets=targets)
    assert isinstance(result, Submitted)
    return account


MALFORMED_TOKEN = "token:of-the-wrong-form"  # the simulator answers as Cloudflare does: HTTP 400, code 6003


def test_malformed_token_pauses_the_account_and_loses_no_command(world: World) -> None:
    make_person("ada", "admin")
    (command,) = world.request()
    assert world.account.credential
    change_credential(world.account.credential, value=MALFORMED_TOKEN)
    world.deliver()
    assert world.reload(command).status == Status.QUEUED
    pause = Pause.objects.get(operation="create")
    assert (pause.reason_code, pause.http_status, pause.code, pause.refused) == ("credential_refused", 400, 6003, True)
    assert pause.remote_message == "Invalid request headers; Invalid format for Authorization header"
    assert Notification.objects.filter(kind=Notification.Kind.REFUSED).count() == 1
    assert world.created() == []
