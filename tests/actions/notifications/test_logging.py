"""Log lines: one for each outcome that matters, and no secrets."""

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
    """Return the lines about outcomes since the last call."""
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    caplog.clear()
    return [line for line in lines if line["event"] == "outcome"]


def _outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[object, object]]:
    return [(line["outcome"], line.get("status")) for line in _lines(caplog)]


def test_end_of_a_command_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    command = world.sent()
    world.forward(QUICK_END)
    caplog.clear()
    world.sync()
    (line,) = _lines(caplog)
    assert (line["outcome"], line["status"], line["commands"]) == ("moved", "SUCCESS", 1)
    assert line["ids"] == [str(command.id)]


def test_uncertain_adopted_and_imported_are_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.request()
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


def test_unconfirmed_and_expired_are_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.request()
    world.fault("reset", when="before")
    world.deliver()
    world.heal()
    world.request(devices=[world.device("linux")])
    world.forward(hours=25)
    caplog.clear()
    world.settle()
    assert set(_outcomes(caplog)) == {("moved", "unconfirmed"), ("moved", "expired")}


def test_rolled_back_change_is_not_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    (command,) = world.request()
    with pytest.raises(ZeroDivisionError):
        _expire_and_fail(world, command.id)
    assert _outcomes(caplog) == []


def _expire_and_fail(world: World, command_id: Any) -> None:
    with change_statuses(by=PORTAL, now=world.now) as changes:
        changes.write([Transition(command_id, Status.EXPIRED)])
        raise ZeroDivisionError


def _logged(caplog: pytest.LogCaptureFixture, *events: str) -> list[dict[str, Any]]:
    """Return the lines of these events since the last call."""
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict) and record.msg["event"] in events]
    caplog.clear()
    return lines


def test_begin_and_end_of_rate_limiting_are_logged_once_each(world: World, caplog: pytest.LogCaptureFixture) -> None:
    events = ("throttle_begins", "throttle_ends")
    world.request()
    world.fault("throttle", seconds=60)
    for rest in (61, 301):
        world.deliver()
        world.forward(seconds=rest)
    (begun,) = _logged(caplog, *events)
    assert (begun["event"], begun["credential"]) == ("throttle_begins", world.account.credential_id)
    world.heal()
    world.deliver()
    (ended,) = _logged(caplog, *events)
    assert (ended["event"], ended["credential"]) == ("throttle_ends", world.account.credential_id)
    world.sync()
    assert _logged(caplog, *events) == []


def test_change_between_failure_and_refusal_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    events = ("pause_begins", "pause_turns", "pause_ends")
    world.request(devices=[world.device("mac"), world.device("linux")])
    for rule in (refusal("list", 500), refusal("list"), refusal("list"), refusal("list", 500)):
        world.faults(rule)
        assert not world.sync()
        world.forward(minutes=5, seconds=1)
    logged = [(line["event"], line["refused"]) for line in _logged(caplog, *events)]
    assert logged == [("pause_begins", False), ("pause_turns", True), ("pause_turns", False)]


def test_decrypted_secret_is_redacted_from_logs(world: World) -> None:
    secret = "an-invented-secret-of-this-test"
    assert world.account.credential is not None
    assert redaction.scrub(f"oh {secret}") == f"oh {secret}"
    type(world.account.credential).objects.update(secret=secret)
    world.account.refresh_from_db()
    world.sync(complete=True)
    assert redaction.scrub(f"oh {secret}") == "oh [hidden]"
    assert DEFAULT_TOKEN not in redaction.scrub(DEFAULT_TOKEN)
