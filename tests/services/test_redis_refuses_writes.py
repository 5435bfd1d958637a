"""Redis answers every write with an error: workers and beat wait for it, and the log stays short."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as redis_client
from celery import Celery
from pytest_django import Settings
from redis.exceptions import ResponseError

from dexportal.celery import app as celery
from dexportal.celery import heartbeat
from tests import servers
from tests.dexportal.workers import working
from tests.polling import MAX_WAIT, eventually

type Client = redis_client.Redis


@dataclass(frozen=True)
class Refusal:
    """Way in which Redis refuses writes, and a part of its message. Workers only read, which some ways allow."""

    message: str
    stops_workers: bool
    begin: Callable[[Client, Path], object]
    end: Callable[[Client, Path], object]


def _fail_to_save(client: Client, folder: Path) -> None:
    folder.chmod(0o500)
    client.config_set("save", "1 1")
    client.set("changed", 1)
    eventually(lambda: _is_refusing(client) or None)


def _save_again(client: Client, folder: Path) -> None:
    folder.chmod(0o700)
    client.config_set("stop-writes-on-bgsave-error", "no")


REFUSALS = {
    "replica": Refusal(
        "read only replica",
        True,
        lambda client, _folder: client.replicaof("127.0.0.1", 1),
        lambda client, _folder: client.replicaof("no", "one"),
    ),
    "no memory": Refusal(
        "used memory",
        False,
        lambda client, _folder: client.config_set("maxmemory", 1),
        lambda client, _folder: client.config_set("maxmemory", 0),
    ),
    "cannot save": Refusal("MISCONF", True, _fail_to_save, _save_again),
}


class Log:
    """Everything that the processes of a test have logged."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.text = ""

    def count(self, text: str) -> int:
        self.text += self._capfd.readouterr().err
        return self.text.count(text)


@pytest.fixture
def server() -> Iterator[servers.Server]:
    with servers.managed_redis() as running:
        yield running


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_worker_and_beat_wait_for_a_redis_that_refuses_writes(
    refusal: Refusal, server: servers.Server, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    settings.BROKER_URL = server.url
    app = Celery("own", set_as_current=False)
    app.config_from_object(celery.configuration())
    arrived = threading.Semaphore(0)

    @app.task(name="own.note", shared=False)
    def note() -> None:
        arrived.release()

    client = redis_client.Redis.from_url(server.url)
    app.conf.beat_schedule = {"note": celery.beat_schedule()["sync_due"] | {"task": "own.note"}}
    beat = heartbeat.HeartbeatScheduler(app)
    log = Log(capfd)
    with working(app, "talk"):
        beat.apply_entry(beat.schedule["note"])
        assert arrived.acquire(timeout=MAX_WAIT)
        refusal.begin(client, server.folder)
        with pytest.raises(ResponseError, match=refusal.message):
            client.set("changed", 1)
        if refusal.stops_workers:
            eventually(lambda: _is_no_worker_reading(client) or None)
        for _ in range(20):
            beat.apply_entry(beat.schedule["note"])
        refusal.end(client, server.folder)
        eventually(lambda: _is_delivered(beat, arrived) or None)
    for line in ("beat cannot send to the broker", "beat sends to the broker again"):
        assert log.count(line) == 1, log.text
    assert log.count("Cannot connect to redis") <= 1, log.text
    assert log.count("Traceback") == 0, log.text


def _is_no_worker_reading(client: Client) -> bool:
    return bool(client.info("clients")["blocked_clients"] == 0)


def _is_delivered(beat: heartbeat.HeartbeatScheduler, arrived: threading.Semaphore) -> bool:
    beat.apply_entry(beat.schedule["note"])
    return arrived.acquire(timeout=1)


def _is_refusing(client: Client) -> bool:
    try:
        client.set("changed", os.urandom(4))
    except ResponseError:
        return True
    return False
