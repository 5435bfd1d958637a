"""Lines of a history."""

import pytest

from commands.rules.events import EventType
from commands.rules.states import ArtifactStatus, Status
from commands.rules.wording.events import FILE, MOVED, SENTENCES, event_line


def test_every_event_type_status_and_file_status_has_a_line() -> None:
    assert set(SENTENCES) == set(EventType) - {EventType.MOVED, EventType.ARTIFACT}
    assert list(MOVED) == list(Status)
    assert list(FILE) == list(ArtifactStatus)


@pytest.mark.parametrize("status", Status)
def test_line_of_a_move_is_the_line_of_the_new_status(status: Status) -> None:
    assert event_line(EventType.MOVED, to_status=status) == MOVED[status]


@pytest.mark.parametrize("status", ArtifactStatus)
def test_line_of_a_file_is_the_line_of_its_status(status: ArtifactStatus) -> None:
    assert event_line(EventType.ARTIFACT, artifact_status=status) == FILE[status]


def test_no_two_events_share_a_line() -> None:
    lines = [*SENTENCES.values(), *MOVED.values(), *FILE.values()]
    assert len(set(lines)) == len(lines)
    assert all(line[0].isupper() and not line.endswith(".") for line in lines)
