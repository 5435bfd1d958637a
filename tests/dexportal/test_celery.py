"""The queues: what is sent arrives at a worker, whole and once, and nothing piles up."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Connection, Queue
from pytest_django import Settings

from dexportal import celery

TASKS = {
    "deliver_due": "talk",
    "settle_due": "talk",
    "sync_due": "talk",
    "directory_due": "talk",
    "collect_due": "fetch",
    "sweep_due": "fetch",
    "tell_due": "talk",
    "beat_heartbeat": "talk",
    "talk_heartbeat": "talk",
    "fetch_heartbeat": "fetch",
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


def test_what_is_scheduled_and_what_is_routed_are_tasks_that_there_are() -> None:
    celery.app.loader.import_default_modules()
    named = {entry["task"] for entry in celery.beat_schedule().values()}
    named |= set(celery.configuration()["task_routes"])
    assert named <= celery.app.tasks.keys()


def test_a_message_that_nobody_took_is_worth_nothing_when_the_next_one_is_due(app: Celery) -> None:
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] == entry["schedule"].total_seconds() > 0


def test_a_message_lives_long_enough_to_be_found_however_time_is_scaled(settings: Settings) -> None:
    settings.SYNC_INTERVAL = timedelta(milliseconds=50)
    assert celery.beat_schedule()["sync_due"]["options"]["expires"] == celery.SHORTEST_LIFE


@pytest.mark.django_db(transaction=True)  # a worker that starts runs Django's checks
@pytest.mark.parametrize("queue", ["talk", "fetch"])
def test_a_worker_takes_what_was_sent_to_its_queue(app: Celery, queue: str) -> None:
    arrived = threading.Event()
    seen: list[object] = []

    @app.task(name=f"own.note_for_{queue}")
    def note(word: str) -> None:
        seen.append(word)
        arrived.set()

    with start_worker(app, pool="threads", perform_ping_check=False, queues=[queue], loglevel="ERROR"):
        note.apply_async(args=("hello",), queue=queue)
        assert arrived.wait(timeout=10)
    assert seen == ["hello"]


def test_messages_are_read_whole_and_once_while_others_write(tmp_path: Path, app: Celery) -> None:
    """Kombu's own broker of files fails here: one message in seventy was read empty."""
    writers, each = 3, 300
    stop = threading.Event()

    def write(_writer: int) -> None:
        with Connection(app.conf.broker_url, transport_options=app.conf.broker_transport_options) as connection:
            producer = connection.Producer()
            for number in range(each):
                producer.publish({"number": number}, routing_key="talk", declare=[Queue("talk", routing_key="talk")])

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
            writer.result(timeout=30)
        try:
            assert reader.result(timeout=30) == writers * each
        finally:
            stop.set()
    assert list((tmp_path / "messages").iterdir()) == []
