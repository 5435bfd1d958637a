"""Celery queues: messages arrive at the right worker, complete and once, and don't pile up."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from celery import Celery
from celery.worker import request
from kombu import Connection
from pytest_django import Settings

from commands.tasks import BeatTask
from commands.wakeup import backoff, wake
from dexportal.celery import app as celery
from dexportal.celery import heartbeat
from tests.dexportal.workers import working
from tests.polling import MAX_WAIT, eventually

TASKS = {
    "deliver_due": "talk",
    "settle_due": "talk",
    "sync_due": "talk",
    "directory_due": "talk",
    "collect_due": "fetch",
    "sweep_due": "fetch",
    "alerts_due": "talk",
}


@pytest.fixture
def app(tmp_path: Path, settings: Settings) -> Celery:
    settings.BROKER_URL = "spool://localhost"
    settings.BROKER_DIR = tmp_path
    own = Celery("own", set_as_current=False)
    own.config_from_object(celery.configuration())
    return own


def test_beat_sends_every_periodic_task_to_its_queue(app: Celery) -> None:
    schedule = {name: entry["task"] for name, entry in app.conf.beat_schedule.items()}
    assert schedule == {name: f"commands.tasks.{name}" for name in TASKS}
    queues = {name: app.amqp.router.route({}, task)["queue"].name for name, task in schedule.items()}
    assert queues == TASKS


@pytest.mark.django_db  # loading the tasks closes the connections that an earlier test of a worker may have left
def test_scheduled_and_routed_tasks_exist() -> None:
    celery.app.loader.import_default_modules()
    named = {entry["task"] for entry in celery.beat_schedule().values()}
    named |= set(celery.configuration()["task_routes"])
    assert named <= celery.app.tasks.keys()


def test_message_lives_long_enough_for_a_worker_with_a_wrong_clock(app: Celery) -> None:
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] >= 300


def test_beat_goes_on_when_the_wall_clock_is_set_back(app: Celery, settings: Settings) -> None:
    settings.SYNC_INTERVAL = timedelta(milliseconds=20)
    app.conf.beat_schedule = {"sync_due": celery.beat_schedule()["sync_due"]}
    beat = heartbeat.HeartbeatScheduler(app)

    def sent() -> int:
        beat.tick()
        return len(list((Path(settings.BROKER_DIR) / "messages").glob("*.msg")))

    eventually(lambda: sent() or None)
    real = app.now
    app.now = lambda: real() - timedelta(hours=1)  # type: ignore[method-assign]  # all that Celery asks for the time
    before = sent()
    eventually(lambda: sent() > before + 2 or None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ahead", [timedelta(minutes=-4), timedelta(minutes=4)])
def test_worker_whose_clock_is_wrong_by_minutes_runs_tasks_of_beat_and_wakeups(
    app: Celery, settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    arrived = threading.Semaphore(0)

    @app.task(name="own.note", shared=False)
    def note() -> None:
        arrived.release()

    backoff.end()
    wake("own.note")
    _send_as_beat(app, "note")
    monkeypatch.setattr(request, "datetime", _off_by(ahead))
    with working(app, "talk"):
        for _ in range(2):
            assert arrived.acquire(timeout=MAX_WAIT)


def _send_as_beat(app: Celery, name: str, times: int = 1) -> None:
    app.conf.beat_schedule = {name: celery.beat_schedule()["sync_due"] | {"task": f"own.{name}"}}
    beat = heartbeat.HeartbeatScheduler(app)
    for _ in range(times):
        beat.apply_async(beat.schedule[name])


def _off_by(off: timedelta) -> type[datetime]:
    """Return a datetime class that is off, as the worker uses it to judge whether a message has expired."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + off

    return Off


@pytest.mark.django_db(transaction=True)
def test_messages_of_beat_that_piled_up_run_once(app: Celery, settings: Settings) -> None:
    settings.SYNC_INTERVAL = timedelta(seconds=MAX_WAIT)  # a loaded machine must not outlast it
    runs: list[str] = []
    done = threading.Event()

    @app.task(name="own.look", base=BeatTask, shared=False)
    def look() -> None:
        runs.append("look")

    @app.task(name="own.end", shared=False)
    def end() -> None:
        done.set()

    _send_as_beat(app, "look", times=5)
    backoff.end()
    wake("own.end")
    with working(app, "talk"):
        assert done.wait(timeout=MAX_WAIT)
    assert runs == ["look"]


@pytest.mark.django_db(transaction=True)
def test_queue_without_a_worker_holds_a_limited_number_of_messages(app: Celery, settings: Settings) -> None:
    """Limit each queue, because a full broker would accept no message for other queues either."""
    settings.MESSAGES_MAX = 3
    backoff.end()
    _send_as_beat(app, "look", times=5)
    for _ in range(5):
        wake("commands.tasks.settle_due")
        wake("commands.tasks.collect_due")
    names = [file.name for file in (Path(settings.BROKER_DIR) / "messages").iterdir()]
    assert [sum(f".{queue}." in name for name in names) for queue in ("talk", "fetch")] == [3, 3]
    assert not backoff.is_active(), "the broker is well"


@pytest.mark.django_db(transaction=True)  # a worker that starts runs Django's checks
@pytest.mark.parametrize("queue", ["talk", "fetch"])
def test_worker_runs_the_tasks_of_its_queue(app: Celery, queue: str) -> None:
    arrived = threading.Event()
    seen: list[object] = []

    @app.task(name=f"own.note_for_{queue}")
    def note(word: str) -> None:
        seen.append(word)
        arrived.set()

    with working(app, queue):
        note.apply_async(args=("hello",), queue=queue)
        assert arrived.wait(timeout=MAX_WAIT)
    assert seen == ["hello"]


def test_messages_are_read_complete_and_once_during_writes(tmp_path: Path, app: Celery) -> None:
    """Read during writes. Kombu's own filesystem broker fails here: one message in seventy was read empty."""
    writers, each = 3, 300
    stop = threading.Event()

    def write(_writer: int) -> None:
        with Connection(app.conf.broker_url, transport_options=app.conf.broker_transport_options) as connection:
            for number in range(each):
                app.send_task("own.note", args=(number,), connection=connection)

    def read() -> int:
        taken = 0
        with Connection(app.conf.broker_url, transport_options=app.conf.broker_transport_options) as connection:
            channel: Any = connection.default_channel
            while taken < writers * each and not stop.is_set():
                try:
                    taken += bool(channel._get("talk")["body"])
                except Empty:
                    continue
        return taken

    with ThreadPoolExecutor(writers + 1) as pool:
        reader = pool.submit(read)
        for writer in [pool.submit(write, number) for number in range(writers)]:
            writer.result(timeout=MAX_WAIT)
        try:
            assert reader.result(timeout=MAX_WAIT) == writers * each
        finally:
            stop.set()
    assert list((tmp_path / "messages").iterdir()) == []
