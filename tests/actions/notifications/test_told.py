"""One line of the log for each outcome that matters, and never a secret in one."""

import logging
from typing import Any

import pytest

from commands import redaction
from commands.actions.record.transitions import Transition, change_statuses
from commands.audit import PORTAL
from commands.rules.states import Status
from simulator.config import DEFAULT_TOKEN
from tests.actions.world import QUICK_END, World, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def _lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What was told of outcomes since this was asked last."""
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    caplog.clear()
    return [line for line in found if line["event"] == "outcome"]


def _outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[object, object]]:
    return [(line["outcome"], line.get("status")) for line in _lines(caplog)]


def test_the_end_of_a_command_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    caplog.clear()
    world.sync()
    (line,) = _lines(caplog)
    assert (line["outcome"], line["status"], line["commands"]) == ("moved", "SUCCESS", 1)
    assert line["ids"] == [str(command.id)]


def test_uncertain_adopted_and_imported_are_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.ask()
    world.fault("reset", when="after")
    caplog.clear()
    world.deliver()
    assert _outcomes(caplog) == [("moved", "uncertain")]
    world.heal()
    world.foreign(world.device("linux"))
    world.forward(minutes=30)
    caplog.clear()
    world.sync(complete=True)
    assert set(_outcomes(caplog)) == {("adopted", "SUCCESS"), ("imported", None)}


def test_what_is_never_found_or_too_late_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.ask()
    world.fault("reset", when="before")
    world.deliver()
    world.heal()
    world.ask(devices=[world.device("linux")])
    world.forward(hours=25)
    caplog.clear()
    world.settle()
    assert set(_outcomes(caplog)) == {("moved", "unconfirmed"), ("moved", "expired")}


def test_what_was_rolled_back_is_not_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    (command,) = world.ask()
    with pytest.raises(ZeroDivisionError):
        _expire_and_fail(world, command.id)
    assert _outcomes(caplog) == []


def _expire_and_fail(world: World, command_id: Any) -> None:
    with change_statuses(by=PORTAL, now=world.now) as changes:
        changes.write([Transition(command_id, Status.EXPIRED)])
        raise ZeroDivisionError


def _told(caplog: pytest.LogCaptureFixture, *events: str) -> list[dict[str, Any]]:
    """The lines of these events since this was asked last."""
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict) and record.msg["event"] in events]
    caplog.clear()
    return found


def test_that_cloudflare_asks_for_a_rest_and_that_it_is_over_is_told_once_each(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    events = ("throttle_begins", "throttle_ends")
    world.ask()
    world.fault("throttle", seconds=60)
    for rest in (61, 301):
        world.deliver()
        world.forward(seconds=rest)
    (begun,) = _told(caplog, *events)
    assert (begun["event"], begun["credential"]) == ("throttle_begins", world.account.credential_id)
    world.heal()
    world.deliver()
    (ended,) = _told(caplog, *events)
    assert (ended["event"], ended["credential"]) == ("throttle_ends", world.account.credential_id)
    world.sync()
    assert _told(caplog, *events) == []


def test_a_pause_that_turns_from_away_to_refused_and_back_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    events = ("pause_begins", "pause_turns", "pause_ends")
    world.ask(devices=[world.device("mac"), world.device("linux")])
    for rule in (refusal("list", 500), refusal("list"), refusal("list"), refusal("list", 500)):
        world.faults(rule)
        assert not world.sync()
        world.forward(minutes=5, seconds=1)
    told = [(line["event"], line["refused"]) for line in _told(caplog, *events)]
    assert told == [("pause_begins", False), ("pause_turns", True), ("pause_turns", False)]


def test_a_secret_that_was_opened_is_hidden_from_every_line(world: World) -> None:
    secret = "an-invented-secret-of-this-test"
    assert world.account.credential is not None
    assert redaction.scrub(f"oh {secret}") == f"oh {secret}"
    type(world.account.credential).objects.update(secret=secret)
    world.account.refresh_from_db()
    world.sync(complete=True)
    assert redaction.scrub(f"oh {secret}") == "oh [hidden]"
    assert DEFAULT_TOKEN not in redaction.scrub(DEFAULT_TOKEN)
