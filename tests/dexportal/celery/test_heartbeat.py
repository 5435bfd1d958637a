"""Heartbeats of beat, the broker and the workers, with real brokers and rows."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from django.db import connection
from pytest_django import Settings

from commands.actions.administration import heartbeats
from commands.models import Heartbeat
from commands.queries.heartbeats import WORKERS, Role, liveness
from dexportal.celery import app as celery
from dexportal.celery import heartbeat
from tests.dexportal.workers import working
from tests.polling import MAX_WAIT, eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _soon(settings: Settings, tmp_path: Path) -> None:
    settings.BROKER_URL, settings.BROKER_DIR = "spool://localhost", tmp_path
    settings.SYNC_INTERVAL = settings.HEARTBEAT_INTERVAL = timedelta(milliseconds=50)
    settings.BROKER_TIMEOUT = timedelta(seconds=1)
    settings.HEARTBEAT_LATE = timedelta(seconds=MAX_WAIT)


@pytest.fixture
def refusing() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"redis://127.0.0.1:{port}/0"


def beat_of(broker_url: str) -> tuple[heartbeat.HeartbeatScheduler, Celery]:
    app = Celery("own", set_as_current=False)
    app.config_from_object(celery.configuration() | {"broker_url": broker_url})
    app.conf.broker_transport_options = celery.broker_options(broker_url, timedelta(seconds=1))
    app.conf.beat_schedule = {"sync_due": celery.beat_schedule()["sync_due"]}
    return heartbeat.HeartbeatScheduler(app), app


def seen(role: Role) -> bool | None:
    return Heartbeat.objects.filter(role=role).exists() or None


def test_beat_writes_heartbeats_of_itself_and_of_the_broker(settings: Settings) -> None:
    beat, _ = beat_of(settings.BROKER_URL)

    def look() -> bool | None:
        beat.tick()
        return seen(Role.BROKER)

    eventually(look, pause=0.02)
    assert set(liveness().alive) == {Role.BEAT}


def test_broker_with_full_queues_has_a_heartbeat(settings: Settings) -> None:
    settings.MESSAGES_MAX = 0
    beat, _ = beat_of(settings.BROKER_URL)

    def look() -> bool | None:
        beat.tick()
        return seen(Role.BROKER)

    eventually(look, pause=0.02)
    assert not list((settings.BROKER_DIR / "messages").glob("*.msg"))


def test_beat_that_starts_without_a_broker_writes_only_its_own_heartbeat(settings: Settings, refusing: str) -> None:
    beat, _ = beat_of(refusing)

    def look() -> bool | None:
        beat.tick()
        return seen(Role.BEAT)

    eventually(look, pause=0.02)
    assert not seen(Role.BROKER)
    assert liveness().down == [Role.BROKER]


@pytest.mark.parametrize("role", WORKERS)
def test_worker_writes_the_heartbeat_of_its_queue_until_it_ends(settings: Settings, role: Role) -> None:
    _, app = beat_of(settings.BROKER_URL)
    app.steps["worker"].add(heartbeat.WorkerStep)
    heartbeats.beat(Role.BEAT, Role.BROKER, now=liveness().now)
    with working(app, str(role)):
        eventually(lambda: role in liveness().alive or None)
        first = Heartbeat.objects.get(role=role).seen_at
        eventually(lambda: Heartbeat.objects.get(role=role).seen_at > first or None)
    assert set(liveness().alive) == {Role.BEAT, role}
    settings.HEARTBEAT_LATE = timedelta(seconds=1)

    def look() -> bool | None:
        heartbeats.beat(Role.BEAT, Role.BROKER, now=liveness().now)
        return role in liveness().down or None

    eventually(look)


def test_beat_goes_on_while_heartbeats_cannot_be_written(settings: Settings) -> None:
    beat, _ = beat_of(settings.BROKER_URL)
    table = Heartbeat._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_away")

    def sent(least: int) -> bool | None:
        beat.tick()
        return len(list((settings.BROKER_DIR / "messages").glob("*.msg"))) >= least or None

    try:
        eventually(lambda: sent(3), pause=0.02)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table}_away RENAME TO {table}")

    def look() -> bool | None:
        beat.tick()
        return seen(Role.BEAT)

    eventually(look, pause=0.02)
