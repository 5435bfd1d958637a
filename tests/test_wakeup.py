"""Wake-ups through real sockets and files. No caller waits long, whatever the broker does."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import structlog
from django.db import transaction
from pytest_django import Settings

from commands import wakeup as wakes
from commands.wakeup import backoff, is_broker_reachable, prepare, wake
from tests.dexportal.portals import run
from tests.polling import MAX_WAIT

TASK = "commands.tasks.deliver_account"


@pytest.fixture(autouse=True)
def _nothing_failed_lately(settings: Settings) -> Iterator[None]:
    settings.WAKE_QUIET = timedelta(seconds=MAX_WAIT)  # a loaded machine must not outlast it
    backoff.end()
    yield
    backoff.end()


@pytest.fixture
def messages(tmp_path: Path, settings: Settings) -> Path:
    settings.BROKER_URL = "spool://localhost"
    settings.BROKER_DIR = tmp_path
    return tmp_path / "messages"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Accept connections and never answer. A client that waits until the listener ends fails the test."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        give_up = Timer(MAX_WAIT, server.close)
        give_up.start()
        yield server
        assert give_up.is_alive(), "a client waited until the listener gave up"
        give_up.cancel()


def connections_to(server: socket.socket) -> int:
    """Count the connections that clients made, none of which was accepted yet."""
    server.setblocking(False)
    count = 0
    with ExitStack() as stack, suppress(BlockingIOError):
        while True:
            stack.enter_context(closing(server.accept()[0]))
            count += 1
    return count


BROKERS = ("celery", "kombu", "redis")


def redis_at(server: socket.socket) -> str:
    return f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def sent(messages: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(messages.glob("*.msg"))]


@pytest.mark.django_db(transaction=True)
def test_wakeup_is_sent_after_the_commit(messages: Path) -> None:
    with transaction.atomic():
        wake(TASK, "an-id")
        assert not messages.exists()
    [message] = sent(messages)
    assert message["headers"]["task"] == TASK
    assert message["headers"]["argsrepr"] == "('an-id',)"
    assert message["headers"]["expires"]


@pytest.mark.django_db(transaction=True)
def test_rollback_sends_no_wakeup(messages: Path) -> None:
    with transaction.atomic():
        wake(TASK)
        transaction.set_rollback(True)
    assert not messages.exists()


@pytest.mark.django_db(transaction=True)
def test_each_task_goes_to_its_queue(messages: Path) -> None:
    wake(TASK)
    wake("commands.tasks.collect_due")
    queues = [file.name.split(".")[1] for file in sorted(messages.iterdir())]
    assert queues == ["talk", "fetch"]


@pytest.mark.django_db(transaction=True)
def test_refusing_redis_is_tried_once(listener: socket.socket, settings: Settings) -> None:
    settings.BROKER_URL = redis_at(listener)
    listener.close()
    _tries_the_broker_once()


@pytest.mark.django_db(transaction=True)
def test_hanging_redis_is_tried_once(listener: socket.socket, settings: Settings) -> None:
    settings.BROKER_URL = redis_at(listener)
    _tries_the_broker_once()
    assert connections_to(listener) == 1


def _tries_the_broker_once() -> None:
    prepare()
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            wake(TASK)
    # Only one line, because the first failure starts the backoff.
    assert [line["event"] for line in lines] == ["wake failed, beat will find the work"]


def test_first_wakeup_of_a_web_process_loads_no_module(listener: socket.socket, tmp_path: Path) -> None:
    """Load modules beforehand: that takes longer than the time-outs of the broker, which don't limit it."""
    script = (
        "import sys, dexportal.wsgi; from commands.wakeup import wake; before = set(sys.modules);"
        f"wake({TASK!r}); print(*(name for name in set(sys.modules) - before if name.startswith({BROKERS!r})))"
    )
    environment = {"VAR_DIR": str(tmp_path), "REDIS_URL": redis_at(listener), "LOG_LEVEL": "ERROR"}
    done = run(environment, "-c", script)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_connecting_and_each_answer_have_half_a_second(listener: socket.socket, settings: Settings) -> None:
    """Wait a second in total at most. After that, the process leaves the broker alone for a while."""
    settings.BROKER_URL = redis_at(listener)
    with wakes.connection() as broker:
        options = broker.transport_options or {}
    assert (options["socket_connect_timeout"], options["socket_timeout"]) == (0.5, 0.5)
    assert (options["retry_on_timeout"], options["max_retries"]) == (False, 0)


@pytest.mark.django_db(transaction=True)
def test_view_commits_although_its_wakeup_fails(listener: socket.socket, settings: Settings) -> None:
    settings.BROKER_URL = redis_at(listener)
    listener.close()
    done = []
    with transaction.atomic():
        wake(TASK)
        transaction.on_commit(lambda: done.append("what comes after it"))
    assert done == ["what comes after it"]


@pytest.mark.django_db(transaction=True)
def test_broker_is_tried_again_after_the_backoff(messages: Path, settings: Settings) -> None:
    settings.WAKE_QUIET = settings.WAKE_QUIET * 0
    backoff.begin()
    wake(TASK)
    assert len(sent(messages)) == 1


def test_broker_reports_whether_it_is_reachable(messages: Path, listener: socket.socket, settings: Settings) -> None:
    assert is_broker_reachable()
    settings.BROKER_URL = redis_at(listener)
    assert not is_broker_reachable()
    assert not is_broker_reachable()
    assert connections_to(listener) == 1, "nobody asks again while a failure is fresh"
