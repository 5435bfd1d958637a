"""Outcomes of a POST, by the contract's table "Can a POST be sent again?".

Each test compares with the simulator's ledger: whatever happened, no command of ours was created twice.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from cryptography.fernet import Fernet
from django.db import OperationalError, connection

from commands.actions.sending import deliver
from commands.actions.sending.claim import claim
from commands.models import Account, Command
from commands.rules.targeting import Target
from simulator.config import DEFAULT_TOKEN
from tests.actions.world import BOTH, DIAG, PCAP, World
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
    """Shorten the deadline of a POST, but not so much that a loaded machine cannot send it."""
    settings.POST_DEADLINE = timedelta(seconds=3)


def test_commands_of_a_failed_connection_go_back_to_the_queue_behind_a_growing_pause(
    world: World, settings: Any
) -> None:
    (command,) = world.request()
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


def test_throttled_post_pauses_the_credential_as_long_as_cloudflare_asks(world: World) -> None:
    (command,) = world.request()
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
def test_refused_account_is_paused_and_loses_no_command(world: World, kind: str, parameters: dict[str, Any]) -> None:
    (command,) = world.request()
    world.fault(kind, nth=1, **parameters)
    assert world.deliver()
    assert world.status(command) == "queued"
    pause = world.pauses()["create"]
    assert pause.refused
    assert pause.reason_code in {"credential_refused", "account_refused", "not_found", "redirected"}
    assert not world.deliver()
    world.forward(minutes=6)
    assert world.deliver()
    assert len(world.created()) == 1


@pytest.mark.parametrize("status", [400, 422, 413])
def test_rejected_command_keeps_cloudflares_code_and_message(world: World, status: int) -> None:
    (command,) = world.request()
    world.fault("error", status=status, code=4711, message="no such thing")
    assert world.deliver()
    command = world.reload(command)
    assert command.status == "rejected"
    assert (command.reason_code, command.remote_message) == ("rejected", "no such thing")
    data = world.history(command)[-1].data
    assert (data["reason_code"], data["remote_message"]) == ("rejected", "no such thing")
    assert (data["code"], data["http_status"]) == (4711, status)
    assert command.dispatch is not None
    assert (command.dispatch.code, command.dispatch.http_status) == (4711, status)
    world.forward(minutes=30)
    assert not world.deliver()


def test_commands_rejected_together_are_sent_alone_after_a_complete_listing(world: World) -> None:
    good, bad, other = world.devices[:3]
    wrong = replace(world.targets([bad])[0], registration_id="00000000-0000-4000-8000-000000000000")
    commands = world.request(targets=[*world.targets([good, other]), wrong])
    assert world.deliver()
    assert {world.status(command) for command in commands} == {"uncertain"}
    for command in commands:  # whose fault it is, nobody knows: none is told the reason of another
        rejected = world.reload(command)
        assert (rejected.reason_code, rejected.remote_message) == ("rejected_together", "")
        assert world.history(command)[-1].data == {"reason_code": "rejected_together"}
    world.settle()
    assert not world.deliver(), "not before a listing has shown that none was created"
    world.forward(seconds=1)
    assert world.sync()
    world.settle()
    assert {world.status(command) for command in commands} == {"queued"}
    while world.deliver():
        pass
    statuses = {command.device_id: world.status(command) for command in commands}
    assert statuses == {good.device_id: "PENDING_EXEC", other.device_id: "PENDING_EXEC", bad.device_id: "rejected"}
    assert sorted(len(post["items"]) for post in world.posts())[-1] == 3
    assert {len(post["items"]) for post in world.posts()[-3:]} == {1}
    assert len(world.created()) == 2


def test_command_rejected_together_but_created_is_not_sent_again(world: World) -> None:
    """Let Cloudflare create some commands of a POST that it refuses."""
    Account.objects.filter(id=world.account.id).update(dialect="current")  # else the other form is tried at once
    commands = world.request(targets=world.targets(world.devices[:3]))
    world.fault("accepted_late", nth=1, then="error", status=422, seconds=0)
    assert world.deliver()
    assert {world.status(command) for command in commands} == {"uncertain"}
    world.heal()
    for _ in range(4):
        world.forward(minutes=2)
        world.sync(complete=True)
        world.settle()
        assert not world.deliver()
    assert "queued" not in {world.status(command) for command in commands}
    assert all(world.reload(command).remote_id for command in commands)
    assert len(world.posts()) == 1
    assert not Command.objects.filter(started_elsewhere=True).exists()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("kind", "parameters", "made"), UNKNOWN)
def test_command_that_may_have_been_created_is_uncertain_and_never_sent_again(
    world: World, kind: str, parameters: dict[str, Any], made: int
) -> None:
    (command,) = world.request()
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
        assert world.reload(command).remote_id == world.created()[0]["id"]
    else:
        assert world.status(command) == ("rejected" if kind == "success_false" else "unconfirmed")


def test_command_created_after_the_client_gave_up_is_adopted(world: World) -> None:
    (command,) = world.request()
    world.fault("accepted_late", nth=1, then="reset")
    with world.upstream.late_commands_held():
        assert world.deliver()
        assert world.status(command) == "uncertain"
    (created,) = world.created()
    world.forward(seconds=5)
    assert world.sync()
    assert world.reload(command).remote_id == created["id"]
    assert world.story(command)[-1] == "PENDING_EXEC"
    assert len(world.created()) == 1


def test_command_missing_in_the_answer_is_uncertain_and_the_others_run(world: World) -> None:
    commands = world.request(devices=world.devices[:3])
    world.fault("item_missing", nth=1)
    assert world.deliver()
    assert sorted(world.status(command) for command in commands) == ["PENDING_EXEC", "PENDING_EXEC", "uncertain"]
    world.heal()
    assert world.sync()
    ids = {world.reload(command).remote_id for command in commands}
    assert ids == {row["id"] for row in world.created()}


def test_error_in_a_200_response_rejects_with_its_message_when_the_window_closes(world: World) -> None:
    (command,) = world.request()
    world.fault("success_false", nth=1, when="before", code=4711, message="not today")
    assert world.deliver()
    world.heal()
    for _ in range(4):
        world.forward(minutes=2)
        world.sync(complete=True)
        world.settle()
    command = world.reload(command)
    assert command.status == "rejected"
    assert (command.reason_code, command.remote_message) == ("error_in_200", "not today")
    assert world.history(command)[-1].data == {
        "reason_code": "error_in_200",
        "remote_message": "not today",
        "http_status": 200,
        "code": 4711,
    }


def test_error_in_a_200_response_without_listings_is_unconfirmed_and_adopts_its_id_later(world: World) -> None:
    (command,) = world.request()
    world.fault("success_false", nth=1, when="after")
    assert world.deliver()
    world.heal()
    world.forward(hours=25)
    world.settle()
    assert world.status(command) == "unconfirmed"
    assert world.sync(complete=True)
    reloaded = world.reload(command)
    assert (reloaded.remote_id, reloaded.status) == (world.created()[0]["id"], "SUCCESS")


def test_answer_in_any_order_without_registrations_finds_its_commands(world: World) -> None:
    world.configure(shuffle_answer=True)
    world.fault("registration_absent", nth=1)
    commands = world.request(devices=world.devices[:4])
    assert world.deliver()
    owners = {row["id"]: row["device_id"] for row in world.created()}
    assert {world.reload(command).remote_id: command.device_id for command in commands} == owners


# --- The database is away ---


@pytest.mark.django_db(transaction=True)
def test_database_down_before_the_post_means_not_sent(world: World) -> None:
    (command,) = world.request()
    claimed = claim(world.account, now=world.now)
    assert claimed is not None
    with connection.execute_wrapper(_away):
        answer = deliver.post(claimed)
    assert world.posts() == []
    deliver.record(claimed, answer, now=world.now)
    assert world.status(command) == "queued"
    assert world.deliver()
    assert len(world.created()) == 1


@pytest.mark.django_db(transaction=True)
def test_answer_is_recorded_as_soon_as_the_database_is_back(world: World) -> None:
    (command,) = world.request()
    outages: list[str] = []

    def away_after_the_post(execute: Any, sql: str, *rest: Any) -> Any:
        if len(outages) < 2 and "commands_dispatch" in sql and world.posts():
            outages.append(sql)
            raise OperationalError("the server closed the connection")
        return execute(sql, *rest)

    with connection.execute_wrapper(away_after_the_post):
        assert world.deliver()
    assert len(outages) == 2
    assert world.story(command) == ["queued", "sending", "PENDING_EXEC"]
    assert [row["id"] for row in world.created()] == [world.reload(command).remote_id]


def _away(*_: Any) -> NoReturn:
    raise OperationalError("the server closed the connection")


# --- Dialects ---


@pytest.mark.parametrize(("spoken", "remembered"), [("legacy", "legacy"), ("current", "current"), ("both", "current")])
def test_dialect_of_the_first_success_is_remembered(world: World, spoken: str, remembered: str) -> None:
    world.configure(dialect=spoken)
    commands = world.request(BOTH)
    assert world.deliver()
    assert Account.objects.get(id=world.account.id).dialect == remembered
    tries = len(world.posts())
    assert world.deliver()
    assert len(world.posts()) == tries + 1
    assert {world.status(command) for command in commands} == {"PENDING_EXEC"}
    assert len(world.created()) == 2


@pytest.mark.parametrize(("spoken", "tries"), [("legacy", 3), ("current", 2)])
def test_dispatch_keeps_the_body_that_cloudflare_received(world: World, spoken: str, tries: int) -> None:
    world.configure(dialect=spoken)
    world.request(BOTH, devices=[world.device("mac"), world.device("linux")])
    while world.deliver():
        pass
    assert [post["outcome"] for post in world.posts()] == ["refused", "created", "created"][-tries:]
    taken = [post["items"] for post in world.posts() if post["outcome"] == "created"]
    assert [dispatch.body for dispatch in world.dispatches()] == [
        {"dialect": spoken, "commands": items} for items in taken
    ]
    assert DEFAULT_TOKEN not in json.dumps([dispatch.body for dispatch in world.dispatches()])


def test_dispatch_is_recorded_before_the_answer(world: World) -> None:
    world.fault("reset", when="after")
    (command,) = world.request()
    assert world.deliver()
    assert world.status(command) == "uncertain"
    (dispatch,) = world.dispatches()
    assert dispatch.body["dialect"] == "auto"
    assert dispatch.body["commands"] == world.posts()[0]["items"]


def test_dialect_of_an_admin_is_not_overwritten(world: World) -> None:
    Account.objects.filter(id=world.account.id).update(dialect="legacy")
    world.request(DIAG)
    assert world.deliver()
    assert Account.objects.get(id=world.account.id).dialect == "legacy"


def test_credential_that_cannot_be_decrypted_sends_nothing(world: World, settings: Any) -> None:
    (command,) = world.request()
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert world.deliver()
    assert world.status(command) == "queued"
    assert world.pauses()["create"].reason_code == "cannot_decrypt"
    assert world.posts() == []


def test_unlisted_target_unknown_to_cloudflare_is_rejected_alone(world: World) -> None:
    known = world.devices[:2]
    typo = Target("00000000-0000-4000-8000-00000000dead", "nobody@example.com")
    commands = world.request(PCAP, targets=[*world.targets(known), typo])
    while world.deliver():
        pass
    assert [world.status(command) for command in commands] == ["PENDING_EXEC", "PENDING_EXEC", "rejected"]
    assert sorted(len(post["items"]) for post in world.posts() if post["outcome"] == "created") == [2]
