"""Contents and order of POSTs, checked in the POSTs that the simulator received."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError

from commands.actions.sending import claim as claiming
from commands.actions.sending.claim import accounts_with_queued, claim
from commands.models import Account, AccountSync, Command, Device, Dispatch
from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.targeting import Target
from tests.actions.racing import race
from tests.actions.world import BOTH, PCAP, QUICK_END, World

pytestmark = pytest.mark.django_db


def _strangers(count: int, *, listed: bool = True, platform: str = "mac") -> list[Target]:
    """Return targets that the simulator does not know: they can be requested but not created."""
    return [
        Target(f"00000000-0000-4000-8000-{number:012d}", f"person-{number}@example.com", "", "", platform, listed)
        for number in range(count)
    ]


def _claimed(world: World) -> list[Command]:
    claimed = claim(world.account, now=world.now)
    return list(claimed.commands) if claimed else []


# --- What a POST holds ---


def test_post_has_ten_commands_at_most(world: World, settings: Any) -> None:
    settings.POSTS_AT_ONCE = 100
    world.request(targets=_strangers(23))
    assert [len(_claimed(world)) for _ in range(4)] == [10, 10, 3, 0]


def test_post_has_one_kind_and_one_command_for_each_machine(world: World) -> None:
    devices = [world.device("mac"), world.device("linux"), world.device("windows")]
    world.request(BOTH, devices=devices)
    world.request(PCAP, devices=devices)
    while world.deliver():
        pass
    for post in world.posts():
        assert len({item["type"] for item in post["items"]}) == 1
        machines = [item["device_id"] for item in post["items"]]
        assert len(machines) == len(set(machines))


def test_second_command_waits_until_the_first_of_its_kind_has_ended(world: World) -> None:
    first, second = world.request()[0], world.request()[0]
    assert world.deliver()
    assert not world.deliver()
    world.forward(minutes=20)
    world.sync()
    assert world.status(first) == "SUCCESS"
    assert world.deliver()
    assert world.status(second) == "PENDING_EXEC"


def test_another_kind_runs_beside_the_first_where_the_machine_allows_it(world: World) -> None:
    world.request(BOTH, devices=[world.device("mac")])
    assert world.deliver()
    assert world.deliver()
    assert {row["kind"] for row in world.created()} == {"pcap", "warp-diag"}


def test_on_windows_the_diag_goes_first_and_the_capture_after_it(world: World) -> None:
    diag, capture = world.request(BOTH, devices=[world.device("windows")])
    assert (diag.kind, capture.kind) == ("warp-diag", "pcap")
    assert world.deliver()
    assert not world.deliver()
    assert [row["kind"] for row in world.created()] == ["warp-diag"]
    world.forward(minutes=20)
    world.sync()
    assert world.deliver()
    world.forward(minutes=20)
    world.sync()
    assert {world.status(diag), world.status(capture)} == {"SUCCESS"}


def test_speed_test_does_not_wait_for_a_capture_on_windows(world: World) -> None:
    world.request({Kind.SPEED_TEST: {}, **PCAP}, devices=[world.device("windows")])
    assert world.deliver()
    assert world.deliver()
    assert len(world.created()) == 2


def test_machine_that_runs_a_command_started_elsewhere_is_skipped(world: World, settings: Any) -> None:
    settings.SETTLE_WINDOW = settings.ADOPT_BEFORE = settings.DISPATCH_LEASE = timedelta(seconds=10)
    world.configure(speed=0.1)
    world.foreign(world.device("mac"))
    world.forward(seconds=30)
    assert world.sync(complete=True)
    assert Command.objects.get().started_elsewhere
    settings.DISPATCH_LEASE = timedelta(seconds=60)
    busy, idle = world.request(devices=[world.device("mac"), world.device("linux")])
    assert world.deliver()
    assert (world.status(busy), world.status(idle)) == ("queued", "PENDING_EXEC")


def test_merged_import_does_not_make_its_machine_busy(world: World) -> None:
    ours = world.sent()
    elsewhere = Command.objects.create(
        id=new_id(world.now),
        account=world.account,
        started_elsewhere=True,
        requested_at=world.now,
        kind="pcap",
        device_id=ours.device_id,
        status="PENDING_EXEC",
        status_at=world.now,
        merged_into=ours,
        deadline_at=world.now + timedelta(minutes=1),
    )
    world.forward(minutes=30)
    world.sync()
    world.settle()
    assert world.status(elsewhere) == "PENDING_EXEC", "it is no command any more: nothing happens to it"
    (again,) = world.request()
    assert world.deliver()
    assert world.status(again) == "PENDING_EXEC"


def test_unlisted_target_is_sent_alone(world: World) -> None:
    world.request(targets=[*_strangers(3), *_strangers(5, listed=False)[3:]])
    assert [len(_claimed(world)) for _ in range(2)] == [3, 1]


# --- Who comes first ---


def test_small_run_goes_before_an_earlier_large_run(world: World, settings: Any) -> None:
    settings.POST_DEVICES = 3
    strangers = _strangers(12)
    world.request(targets=strangers[:8])
    small = world.request(targets=strangers[8:11])
    assert {command.id for command in _claimed(world)} == {command.id for command in small}


def test_large_runs_take_turns_oldest_first(world: World, settings: Any) -> None:
    settings.POST_DEVICES = 3
    settings.POSTS_AT_ONCE = 100
    strangers = _strangers(15)
    runs = [world.request(targets=strangers[start : start + 5]) for start in (0, 5, 10)]
    number = {command.id: index for index, commands in enumerate(runs) for command in commands}
    assert [sorted(number[command.id] for command in _claimed(world)) for _ in range(5)] == [[0, 1, 2]] * 5


def test_every_run_gets_its_turn_when_more_runs_wait_than_a_post_takes(world: World, settings: Any) -> None:
    settings.POST_DEVICES = 3
    settings.POSTS_AT_ONCE = 100
    strangers = _strangers(20)
    runs = [world.request(targets=strangers[start : start + 5]) for start in (0, 5, 10, 15)]
    number = {command.id: index for index, commands in enumerate(runs) for command in commands}
    order = [number[command.id] for _ in range(4) for command in sorted(_claimed(world), key=_turn)]
    assert order == [0, 1, 2, 3] * 3


def test_later_run_takes_turns_with_the_rest_of_the_first(world: World, settings: Any) -> None:
    settings.POST_DEVICES = 4
    settings.POSTS_AT_ONCE = 100
    strangers = _strangers(24)
    first = {command.id for command in world.request(targets=strangers[:16])}
    assert len(_claimed(world)) == 4
    assert len(_claimed(world)) == 4
    later = {command.id for command in world.request(targets=strangers[16:])}
    claimed = [{command.id for command in _claimed(world)} for _ in range(2)]
    assert [(len(ids & first), len(ids & later)) for ids in claimed] == [(2, 2), (2, 2)]


def test_command_that_waits_for_its_time_does_not_hold_back_other_runs(world: World, settings: Any) -> None:
    settings.POST_DEVICES = 4
    settings.POSTS_AT_ONCE = 100
    strangers = _strangers(24)
    waiting, *first = world.request(targets=strangers[:17])
    Command.objects.filter(id=waiting.id).update(not_before=world.now + timedelta(minutes=5))
    for _ in range(2):
        assert len(_claimed(world)) == 4
    later = {command.id for command in world.request(targets=strangers[17:])}
    ids = {command.id for command in _claimed(world)}
    assert (len(ids & later), len(ids & {command.id for command in first})) == (2, 2)


def _turn(command: Command) -> tuple[int, UUID]:
    return command.queue_position, command.id


# --- When nothing may go ---


def test_command_that_is_not_due_or_has_expired_is_not_claimed(world: World) -> None:
    first, second, third = world.request(targets=_strangers(3))
    Command.objects.filter(id=first.id).update(not_before=world.now + timedelta(seconds=5))
    Command.objects.filter(id=second.id).update(expires_at=world.now - timedelta(seconds=1))
    assert [command.id for command in _claimed(world)] == [third.id]
    world.forward(seconds=6)
    assert [command.id for command in _claimed(world)] == [first.id]


def test_only_accounts_with_a_command_to_send_now_are_listed(world: World) -> None:
    assert accounts_with_queued(now=world.now) == []
    (command,) = world.request(targets=_strangers(1))
    assert accounts_with_queued(now=world.now) == [world.account.id]
    Command.objects.filter(id=command.id).update(not_before=world.now + timedelta(seconds=5))
    assert accounts_with_queued(now=world.now) == []
    world.forward(hours=2)
    assert accounts_with_queued(now=world.now) == [], "it has expired"


def test_account_of_another_upstream_is_never_listed(world: World, settings: Any) -> None:
    world.request(targets=_strangers(1))
    settings.UPSTREAM = replace(settings.UPSTREAM, name="https://api.example.com")
    assert accounts_with_queued(now=world.now) == []


def test_posts_in_progress_of_an_account_are_limited(world: World, settings: Any) -> None:
    settings.POSTS_AT_ONCE = 2
    world.request(targets=_strangers(40))
    assert [len(_claimed(world)) for _ in range(3)] == [10, 10, 0]
    world.past_the_lease()
    assert len(_claimed(world)) == 10


def test_command_that_a_constraint_calls_busy_is_skipped_and_the_others_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulate two claims at the same moment: both see a free machine, and the constraint decides."""
    world.request(devices=[world.device("mac")])
    assert world.deliver()
    busy, idle = world.request(devices=[world.device("mac"), world.device("linux")])
    monkeypatch.setattr(claiming, "_ready", lambda account, db_now: Command.objects.filter(status="queued"))
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    assert [command.id for command in claimed.commands] == [idle.id]
    assert [item["device_id"] for item in world.dispatches()[-1].body["commands"]] == [idle.device_id]
    assert (world.status(busy), world.status(idle)) == ("queued", "sending")
    assert claim(world.account, now=world.now) is None
    assert Dispatch.objects.count() == 2


# --- Races ---


@pytest.mark.django_db(transaction=True)
def test_eight_workers_that_claim_at_once_send_each_command_once(world: World, settings: Any) -> None:
    settings.POSTS_AT_ONCE = 3
    devices: list[Device] = world.devices[:8]
    commands = [command for _ in range(2) for command in world.request(BOTH, devices=devices)]
    account_id = world.account.id

    def deliver_all() -> int:
        from commands.actions.sending.deliver import deliver

        sent = 0
        account = Account.objects.select_related("credential").get(id=account_id)
        while deliver(account, now=world.now):
            sent += 1
        return sent

    for _ in range(4):
        race(deliver_all, threads=8)
        world.forward(QUICK_END / 2)
        world.sync()
        Command.objects.filter(status="queued").update(expires_at=world.now + timedelta(hours=1))
    created = world.created()
    assert len(created) == len(commands)
    assert {world.reload(command).remote_id for command in commands} == {row["id"] for row in created}
    assert {row["cause"] for row in created} == {""}, "no capture met another on its machine"


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_keep_to_the_posts_and_the_quota(world: World, settings: Any) -> None:
    settings.POSTS_AT_ONCE = 2
    world.request(targets=_strangers(60))
    AccountSync.objects.update(quota_total=17, quota_used=0, quota_read_at=world.now, quota_reset_at=None)
    account = world.account
    claimed = race(lambda: claim(account, now=world.now), threads=8)
    sizes = sorted(len(each.commands) for each in claimed if each is not None)
    assert sizes == [7, 10]


def test_database_refuses_a_second_command_in_flight(world: World) -> None:
    command = world.sent()
    (second,) = world.request()
    with pytest.raises(IntegrityError):
        Command.objects.filter(id=second.id).update(status="uncertain", dispatch=command.dispatch)


def test_diag_without_options_is_sent_without_the_key(world: World) -> None:
    world.request({Kind.WARP_DIAG: {}})
    assert world.deliver()
    ((item,),) = [post["items"] for post in world.posts()]
    assert "args" not in item
