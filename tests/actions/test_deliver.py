"""The contract's table "Can a POST be sent again?", row by row: what Cloudflare did, and what became of the command.

The ledger is the judge: whatever happened, Cloudflare never made one command of ours twice.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from commands.actions import claims, deliver
from commands.actions.queue import claim
from commands.actions.run import Target
from commands.models import Account, Command
from tests.actions.world import BOTH, DIAG, PCAP, QUICK_END, World
from tests.servers import free_port

pytestmark = pytest.mark.django_db

REFUSALS = [("error", {"status": 401}), ("error", {"status": 403}), ("error", {"status": 404}), ("redirect", {})]
UNKNOWN = [
    ("error", {"status": 500}, 0),
    ("error", {"status": 503, "when": "after"}, 1),
    ("error", {"status": 408}, 0),
    ("error", {"status": 409}, 0),
    ("error", {"status": 425, "when": "after"}, 1),
    ("reset", {"when": "before"}, 0),
    ("reset", {"when": "after"}, 1),
    ("hang", {"when": "before"}, 0),
    ("hang", {"when": "after"}, 1),
    ("invalid_json", {}, 1),
    ("truncated_json", {}, 1),
    ("html_body", {}, 1),
    ("success_false", {"when": "before"}, 0),
    ("success_false", {"when": "after"}, 1),
    ("item_missing", {}, 1),
    ("null_result", {}, 1),
]


@pytest.fixture
def hasty(settings: Any) -> None:
    """A POST that hangs is given up soon."""
    settings.POST_DEADLINE = timedelta(seconds=0.4)


def test_what_never_connected_goes_back_to_the_queue_behind_a_growing_pause(world: World, settings: Any) -> None:
    (command,) = world.ask()
    settings.UPSTREAM = replace(settings.UPSTREAM, url=f"http://127.0.0.1:{free_port()}/client/v4")
    rests = []
    for _ in range(3):
        assert world.deliver()
        assert world.status(command) == "queued"
        rests.append(world.pauses()["create"].until - world.now)
        assert not world.deliver()
        world.forward(rests[-1].total_seconds() + 1)
    assert rests[0] < rests[1] < rests[2]
    settings.UPSTREAM = replace(settings.UPSTREAM, url=f"http://127.0.0.1:{world.upstream.port}/client/v4")
    assert world.deliver()
    assert world.status(command) == "PENDING_EXEC"
    assert "create" not in world.pauses()
    assert len(world.created()) == 1


def test_a_throttled_post_rests_for_as_long_as_cloudflare_says_and_so_does_the_credential(world: World) -> None:
    (command,) = world.ask()
    world.fault("throttle", nth=1, seconds=30)
    assert world.deliver()
    assert world.status(command) == "queued"
    assert not world.sync(), "the pause is the credential's: nothing of it may call"
    world.forward(seconds=25)
    assert not world.deliver()
    world.forward(seconds=6)
    assert world.deliver()
    assert len(world.created()) == 1


@pytest.mark.parametrize(("kind", "parameters"), REFUSALS)
def test_a_refused_account_stops_and_nothing_of_it_is_lost(world: World, kind: str, parameters: dict[str, Any]) -> None:
    (command,) = world.ask()
    world.fault(kind, nth=1, **parameters)
    assert world.deliver()
    assert world.status(command) == "queued"
    pause = world.pauses()["create"]
    assert pause.refused
    assert pause.words
    assert not world.deliver()
    world.forward(minutes=6)
    assert world.deliver()
    assert len(world.created()) == 1


@pytest.mark.parametrize("status", [400, 422, 413])
def test_one_rejected_command_ends_with_cloudflares_code_and_words_said_once(world: World, status: int) -> None:
    (command,) = world.ask()
    world.fault("error", status=status, code=4711, message="no such thing")
    assert world.deliver()
    command = world.again(command)
    assert command.status == "rejected"
    assert command.words.count("4711") == 1
    assert "no such thing" in command.words
    assert command.dispatch is not None
    assert (command.dispatch.code, command.dispatch.http_status) == (4711, status)
    world.forward(minutes=30)
    assert not world.deliver()


def test_of_several_rejected_ones_each_travels_alone_after_a_complete_listing(world: World) -> None:
    good, bad, other = world.devices[:3]
    wrong = replace(world.targets([bad])[0], registration_id="00000000-0000-4000-8000-000000000000")
    commands = world.ask(targets=[*world.targets([good, other]), wrong])
    assert world.deliver()
    assert {world.status(command) for command in commands} == {"queued"}
    assert not world.deliver(), "not before a listing has shown that none was created"
    world.forward(seconds=1)
    assert world.sync()
    while world.deliver():
        pass
    told = {command.device_id: world.status(command) for command in commands}
    assert told == {good.device_id: "PENDING_EXEC", other.device_id: "PENDING_EXEC", bad.device_id: "rejected"}
    assert sorted(len(post["items"]) for post in world.posts())[-1] == 3
    assert {len(post["items"]) for post in world.posts()[-3:]} == {1}
    assert len(world.created()) == 2


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("kind", "parameters", "made"), UNKNOWN)
def test_whatever_may_have_landed_is_uncertain_and_never_sent_again(
    world: World, kind: str, parameters: dict[str, Any], made: int
) -> None:
    (command,) = world.ask()
    world.fault(kind, nth=1, **parameters)
    assert world.deliver()
    assert world.status(command) == "uncertain"
    assert len(world.created()) == made
    world.heal()
    for _ in range(4):
        world.forward(minutes=2)
        assert not world.deliver()
        world.sync(complete=True)
        world.settle()
    assert len(world.posts()) == 1
    if made:
        assert world.again(command).remote_id == world.created()[0]["id"]
    else:
        assert world.status(command) == ("rejected" if kind == "success_false" else "unconfirmed")


@pytest.mark.usefixtures("hasty")
def test_what_lands_after_we_gave_up_is_adopted(world: World) -> None:
    (command,) = world.ask()
    world.fault("accepted_late", nth=1, seconds=0.3, then="reset")
    assert world.deliver()
    assert world.status(command) == "uncertain"
    made = world.upstream_made()
    world.forward(seconds=5)
    assert world.sync()
    assert world.again(command).remote_id == made["id"]
    assert world.story(command)[-1] == "PENDING_EXEC"
    assert len(world.created()) == 1


def test_an_item_that_the_answer_leaves_out_is_looked_for_and_the_others_run(world: World) -> None:
    commands = world.ask(devices=world.devices[:3])
    world.fault("item_missing", nth=1)
    assert world.deliver()
    assert sorted(world.status(command) for command in commands) == ["PENDING_EXEC", "PENDING_EXEC", "uncertain"]
    world.heal()
    assert world.sync()
    ids = {world.again(command).remote_id for command in commands}
    assert ids == {row["id"] for row in world.created()}


def test_a_said_no_is_told_with_its_words_when_the_window_closes(world: World) -> None:
    (command,) = world.ask()
    world.fault("success_false", nth=1, when="before", code=4711, message="not today")
    assert world.deliver()
    world.heal()
    for _ in range(4):
        world.forward(minutes=2)
        world.sync(complete=True)
        world.settle()
    command = world.again(command)
    assert command.status == "rejected"
    assert "not today" in command.words
    assert command.words.count("4711") == 1
    assert world.history(command)[-1].data["because"] == command.words


def test_an_answer_in_any_order_without_registrations_finds_its_commands(world: World) -> None:
    world.configure(shuffle_answer=True)
    world.fault("registration_absent", nth=1)
    commands = world.ask(devices=world.devices[:4])
    assert world.deliver()
    owners = {row["id"]: row["device_id"] for row in world.created()}
    assert {world.again(command).remote_id: command.device_id for command in commands} == owners


# --- Late answers ---


def _lost_and_answered(world: World, command: Command) -> tuple[Any, Any]:
    """The POST was made and answered, but its worker is held up before it can record that."""
    account = Account.objects.select_related("credential").get(id=world.account.id)
    claimed = claim(account, now=world.now)
    assert claimed is not None
    return claimed, deliver.post(claimed)


def test_a_late_answer_moves_an_uncertain_command_as_it_would_have_moved_it_in_time(world: World) -> None:
    (command,) = world.ask()
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    assert world.status(command) == "uncertain"
    deliver.record(claimed, answer, now=world.now)
    assert world.story(command) == ["queued", "sending", "uncertain", "PENDING_EXEC"]
    assert world.again(command).remote_id == world.created()[0]["id"]


def test_a_late_refusal_sends_an_uncertain_command_back_to_the_queue(world: World) -> None:
    (command,) = world.ask()
    world.fault("throttle", nth=1, seconds=1)
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    deliver.record(claimed, answer, now=world.now)
    assert world.status(command) == "queued"
    world.forward(seconds=5)
    assert world.deliver()
    assert len(world.created()) == 1


def test_a_late_answer_to_an_adopted_command_is_told_and_changes_nothing(world: World) -> None:
    (command,) = world.ask()
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    assert world.sync()
    adopted = world.again(command)
    deliver.record(claimed, answer, now=world.now)
    assert world.story(command)[-1] == "late_answer"
    assert (world.status(command), world.again(command).remote_id) == (adopted.status, adopted.remote_id)


def test_a_late_answer_to_an_unconfirmed_command_attaches_its_id(world: World) -> None:
    (command,) = world.ask()
    world.fault("missing_rows", call="list")
    claimed, answer = _lost_and_answered(world, command)
    world.past_the_lease()
    for _ in range(3):
        world.forward(minutes=2)
        world.sync(complete=True)
    world.settle()
    assert world.status(command) == "unconfirmed"
    deliver.record(claimed, answer, now=world.now)
    assert (world.status(command), world.story(command)[-1]) == ("unconfirmed", "late_answer")
    assert world.again(command).remote_id == world.created()[0]["id"]
    world.heal()
    world.forward(QUICK_END)
    assert world.sync()
    assert world.status(command) == "SUCCESS"


def test_an_answer_that_names_an_imported_id_takes_that_row_over(world: World) -> None:
    (command,) = world.ask()
    claimed, answer = _lost_and_answered(world, command)
    world.forward(minutes=30)  # nobody settled; the row is old enough to be somebody else's, and the window is over
    Command.objects.filter(id=command.id).update(device_id="elsewhere")
    assert world.sync(complete=True)
    imported = Command.objects.get(started_elsewhere=True)
    Command.objects.filter(id=command.id).update(device_id=command.device_id)
    deliver.record(claimed, answer, now=world.now)
    imported.refresh_from_db()
    ours = world.again(command)
    assert (imported.remote_id, imported.merged_into_id) == ("", command.id)
    assert ours.remote_id == world.created()[0]["id"]
    assert ours.status == imported.status


def test_an_answer_after_the_import_ran_out_of_time_is_taken_over_too(world: World) -> None:
    (command,) = world.ask()
    claimed, answer = _lost_and_answered(world, command)
    world.forward(minutes=5)
    Command.objects.filter(id=command.id).update(device_id="elsewhere")
    world.configure(offline_timeout=100_000)
    assert world.sync(complete=True)
    imported = Command.objects.get(started_elsewhere=True)
    Command.objects.filter(id=command.id).update(device_id=command.device_id)
    Command.objects.filter(id=imported.id).update(status="PENDING_EXEC", deadline_at=world.now)
    world.forward(seconds=1)
    world.settle()
    assert world.status(imported) == "unconfirmed"
    deliver.record(claimed, answer, now=world.now)
    assert world.again(command).remote_id == world.created()[0]["id"]
    assert world.status(command) == "PENDING_EXEC"


def test_recording_twice_says_nothing_new(world: World) -> None:
    """The database went away after the commit: the worker insists, and writes the same once more."""
    (command,) = world.ask()
    claimed, answer = _lost_and_answered(world, command)
    deliver.record(claimed, answer, now=world.now)
    before = (world.story(command), world.again(command).remote_id)
    deliver.record(claimed, answer, now=world.now)
    assert (world.story(command), world.again(command).remote_id) == before


# --- Held up, and killed ---


def test_a_worker_that_was_held_up_before_the_post_does_not_send(world: World) -> None:
    (command,) = world.ask()
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    world.forward(seconds=16)
    answer = deliver.post(claimed)
    assert world.posts() == []
    deliver.record(claimed, answer, now=world.now)
    assert world.status(command) == "queued"
    assert world.deliver()
    assert len(world.created()) == 1


def test_a_worker_whose_own_clock_says_that_it_was_held_up_does_not_send(world: World) -> None:
    world.ask()
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    deliver.post(replace(claimed, began=claimed.began - 16))
    assert world.posts() == []


def test_a_worker_killed_after_the_post_leaves_the_command_uncertain_and_the_listing_finds_it(world: World) -> None:
    (command,) = world.ask()
    _lost_and_answered(world, command)
    world.past_the_lease()
    assert world.status(command) == "uncertain"
    assert not world.deliver()
    assert world.sync()
    assert world.story(command) == ["queued", "sending", "uncertain", "PENDING_EXEC"]
    assert [row["id"] for row in world.created()] == [world.again(command).remote_id]


def test_a_worker_killed_before_the_post_leaves_a_command_that_is_never_sent(world: World) -> None:
    (command,) = world.ask()
    assert claim(world.account, now=world.now)
    world.past_the_lease()
    assert world.status(command) == "uncertain"
    for _ in range(4):
        world.forward(minutes=2)
        world.sync(complete=True)
        world.settle()
        assert not world.deliver()
    assert world.status(command) == "unconfirmed"
    assert world.posts() == []


# --- Dialects ---


@pytest.mark.parametrize(("spoken", "remembered"), [("legacy", "legacy"), ("current", "current"), ("both", "current")])
def test_the_dialect_of_the_first_success_is_remembered(world: World, spoken: str, remembered: str) -> None:
    world.configure(dialect=spoken)
    commands = world.ask(BOTH)
    assert world.deliver()
    assert Account.objects.get(id=world.account.id).dialect == remembered
    tries = len(world.posts())
    assert world.deliver()
    assert len(world.posts()) == tries + 1
    assert {world.status(command) for command in commands} == {"PENDING_EXEC"}
    assert len(world.created()) == 2


def test_an_admins_dialect_is_not_overwritten(world: World) -> None:
    Account.objects.filter(id=world.account.id).update(dialect="legacy")
    world.ask(DIAG)
    assert world.deliver()
    assert Account.objects.get(id=world.account.id).dialect == "legacy"


def test_a_credential_that_no_key_opens_sends_nothing_and_says_so(world: World, settings: Any) -> None:
    from cryptography.fernet import Fernet

    (command,) = world.ask()
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert world.deliver()
    assert world.status(command) == "queued"
    assert "CREDENTIAL_KEYS" in world.pauses()["create"].words
    assert world.posts() == []


def test_a_target_that_is_unknown_to_cloudflare_rejects_itself_alone(world: World) -> None:
    known = world.devices[:2]
    typo = Target("00000000-0000-4000-8000-00000000dead", "nobody@example.com")
    commands = world.ask(PCAP, targets=[*world.targets(known), typo])
    while world.deliver():
        pass
    assert [world.status(command) for command in commands] == ["PENDING_EXEC", "PENDING_EXEC", "rejected"]
    assert sorted(len(post["items"]) for post in world.posts() if post["outcome"] == "created") == [2]
    assert claims.database_now() > commands[0].asked_at
