"""Fixtures that end what a test started in the background."""

from collections.abc import Iterator
from threading import Lock

import pytest

from dexportal.celery import heartbeat


@pytest.fixture(autouse=True)
def _no_heartbeat_after_the_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Drop heartbeats that a thread writes late, because the next test would find them."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")  # so that this ends before the tables are emptied
    writing, ended = Lock(), False
    write = heartbeat.HeartbeatWriter._write

    def write_in_time(writer: heartbeat.HeartbeatWriter, roles: list[str]) -> None:
        with writing:
            if not ended:
                write(writer, roles)

    monkeypatch.setattr(heartbeat.HeartbeatWriter, "_write", write_in_time)
    yield
    with writing:
        ended = True
