"""Timeline of a command's page: lines, people, times, reasons and colors."""

from datetime import timedelta
from typing import Any

import pytest

from commands.models import Event
from commands.rules.events import EventType
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import DONE, TONES, ArtifactStatus, Mover, Status, Tone
from commands.web.command import timeline
from commands.web.command.timeline import Moment
from tests.web.unsaved import NOW, unsaved_user

OMAR = unsaved_user("omar", pk=8, first_name="Omar", last_name="Diaz")


def event(type_: str, /, seconds: int = 0, **values: Any) -> Event:
    return Event(**{"event": type_, "at": NOW + timedelta(seconds=seconds), "mover": Mover.PORTAL, **values})


def moved(to: Status, /, seconds: int = 0, **values: Any) -> Event:
    return event(EventType.MOVED, seconds, to_status=to, **values)


def shown(*events: Event, is_over: bool = False) -> list[Moment]:
    return timeline.build(events, unsaved_user(), is_over=is_over)


def line(one: Event) -> str:
    [moment] = shown(one)
    return moment.line


def test_command_without_events_has_an_empty_timeline() -> None:
    assert shown() == []


def test_line_names_the_person_who_made_the_change() -> None:
    assert line(event(EventType.REQUESTED, by=unsaved_user())) == "Requested by you"
    assert line(moved(Status.WITHDRAWN, by=OMAR)) == "Withdrawn by Omar Diaz"
    assert line(moved(Status.EXPIRED)) == "Expired, never sent"


def test_line_tells_of_a_restore() -> None:
    assert line(moved(Status.UNCERTAIN, mover=Mover.RESTORE)) == "No clear response from Cloudflare, after a restore"


@pytest.mark.parametrize(
    ("seconds", "took"), [(0, ""), (1, "0:01"), (7, "0:07"), (702, "11:42"), (11110, "3:05:10"), (90000, "25:00:00")]
)
def test_line_tells_the_time_since_the_line_before(seconds: int, took: str) -> None:
    first, second = shown(event(EventType.REQUESTED), moved(Status.SENDING, seconds))
    assert (first.took, second.took) == ("", took)
    assert second.at == NOW + timedelta(seconds=seconds)


def test_duration_is_never_negative() -> None:
    assert timeline.duration(timedelta(seconds=-5)) == "0:00"


def test_line_has_the_reason_with_the_message_and_codes_of_cloudflare() -> None:
    data = {
        "reason_code": CommandReasonCode.SERVER_ERROR,
        "remote_message": "Try later",
        "http_status": 503,
        "code": 7003,
    }
    [moment] = shown(moved(Status.UNCERTAIN, data=data))
    assert moment.reason == "Cloudflare failed. Cloudflare's message: “Try later” (HTTP 503, code 7003)."


def test_line_tells_that_another_match_was_possible() -> None:
    [moment] = shown(event(EventType.ADOPTED, data={"match_uncertain": True}))
    assert (moment.line, moment.reason) == ("Found in Cloudflare's list", "Another match was possible.")


def test_line_of_a_file_has_the_reason_of_the_file() -> None:
    data = {"artifact_status": ArtifactStatus.REFUSED, "reason_code": "server_error", "remote_message": "502"}
    [moment] = shown(event(EventType.ARTIFACT, data=data))
    assert (moment.line, moment.reason, moment.tone) == ("File not downloaded", "Cloudflare failed. “502”", "failed")


# --- Colors


@pytest.mark.parametrize("status", Status)
def test_last_line_has_the_color_of_its_status(status: Status) -> None:
    [moment] = shown(moved(status), is_over=status in DONE)
    assert moment.tone == TONES[status]


@pytest.mark.parametrize("status", Status)
def test_earlier_line_is_done_or_neutral_unless_it_is_an_end(status: Status) -> None:
    first, _ = shown(moved(status), event(EventType.DOWNLOADED))
    is_done = TONES[status] in (Tone.DONE, Tone.RUNNING)
    assert first.tone == ("done" if is_done else TONES[status] if status in DONE else "neutral")


def test_running_line_is_done_once_the_command_is_over() -> None:
    running, over = shown(moved(Status.PENDING_EXEC)), shown(moved(Status.PENDING_EXEC), is_over=True)
    assert (running[0].tone, over[0].tone) == ("running", "done")


def test_line_of_a_hold_waits() -> None:
    assert [moment.tone for moment in shown(event(EventType.HELD))] == ["waiting"]
    assert [moment.tone for moment in shown(event(EventType.HELD), event(EventType.SEND_NOW))] == ["neutral", "done"]
