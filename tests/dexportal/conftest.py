"""Ends with each test what it started in the background."""

from collections.abc import Iterator
from threading import Lock

import pytest

from dexportal.celery import heartbeat


@pytest.fixture(autouse=True)
def _no_pulse_outlives_its_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A heartbeat that a thread writes late would be found by the next test."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")  # so that this ends before the tables are emptied
    writing, ended = Lock(), False
    write = heartbeat.Pulse._write

    def write_in_time(pulse: heartbeat.Pulse, roles: list[str]) -> None:
        with writing:
            if not ended:
                write(pulse, roles)

    monkeypatch.setattr(heartbeat.Pulse, "_write", write_in_time)
    yield
    with writing:
        ended = True
