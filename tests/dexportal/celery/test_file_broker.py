"""Embedded broker: a file in its folder that is no message costs that file, never the worker."""

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from celery import Celery
from kombu import Connection
from pytest_django import Settings

from dexportal.celery import app as celery
from dexportal.celery import file_broker
from tests.dexportal.workers import working
from tests.polling import MAX_WAIT


@pytest.fixture
def app(tmp_path: Path, settings: Settings) -> Celery:
    settings.BROKER_URL = "spool://localhost"
    settings.BROKER_DIR = tmp_path
    own = Celery("own", set_as_current=False)
    own.config_from_object(celery.configuration())
    return own


@pytest.fixture
def folder(app: Celery) -> Path:
    """Return the folder of the messages. Names that begin with 0 are read before real messages."""
    return Path(app.conf.broker_transport_options["data_folder_in"])


def _message(**changes: object) -> str:
    """Return a message as Kombu writes it, with some of its parts changed."""
    properties = {"delivery_tag": "1", "body_encoding": "base64", "delivery_info": {}, "correlation_id": "1"}
    whole: dict[str, object] = {
        "body": base64.b64encode(b"[[], {}, {}]").decode(),
        "headers": {"task": "own.note", "id": "1"},
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "properties": properties,
    }
    return json.dumps(whole | changes)


TEXTS: Mapping[str, str] = {
    "empty": "",
    "half": '{"body": "W1tdLCB7',
    "list": "[1,2",
    "object": "{}",
    "number": "1",
    "null": "null",
    "deep": "[" * 100_000,
    "not utf-8": "\udcff\udcfe",
    "huge": json.dumps("x" * file_broker.MESSAGE_BYTES),
    "properties": '{"properties": 1}',
    "tag": _message(properties={"delivery_tag": [1]}),
    "headers": _message(headers="x"),
    "no task": _message(headers={}),
    "task is a list": _message(headers={"task": ["own.note"], "id": "1"}),
    "wrong types": _message(headers={"task": "own.note", "id": [], "retries": {}, "timelimit": "x"}),
    "body": _message(body="%%%"),
    "deep body": _message(body=base64.b64encode(b"[" * 100_000).decode()),
    "body of another shape": _message(body=base64.b64encode(b"7").decode()),
    "pickled body": _message(**{"content-type": "application/x-python-serialize"}),
}
FILES: Mapping[str, Callable[[Path], None]] = {
    "folder": lambda path: (path / "x").mkdir(parents=True),
    "dangling link": lambda path: path.symlink_to("/nonexistent"),
    "link to a file": lambda path: path.symlink_to(__file__),
    "pipe": os.mkfifo,
    "unreadable": lambda path: path.touch(mode=0),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_file_with_other_content_is_discarded(app: Celery, folder: Path, text: str) -> None:
    (folder / "0.talk.msg").write_text(text, errors="surrogateescape")
    _expect_only_the_real_message(app, folder)


@pytest.mark.parametrize("create", FILES.values(), ids=FILES.keys())
def test_other_kind_of_file_is_discarded(app: Celery, folder: Path, create: Callable[[Path], None]) -> None:
    create(folder / "0.talk.msg")
    _expect_only_the_real_message(app, folder)


def _expect_only_the_real_message(app: Celery, folder: Path) -> None:
    app.send_task("own.note")
    with _connect(app) as connection:
        channel: Any = connection.default_channel
        assert channel._get("talk")["headers"]["task"] == "own.note"
        with pytest.raises(Empty):
            channel._get("talk")
    assert list(folder.iterdir()) == []
    assert Path(__file__).exists()


def test_message_that_cannot_be_written_leaves_no_file(
    app: Celery, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        app.send_task("own.note")
    assert list(folder.iterdir()) == []


HOSTILE: Mapping[str, str] = {
    "unknown task": _message(headers={"task": "own.absent", "id": "1"}),
    "unknown arguments": _message(body=base64.b64encode(b'[[1, 2], {"x": 1}, {}]').decode()),
    "unknown encoding": _message(**{"content-encoding": "klingon"}),
    "wrong times": _message(headers={"task": "own.note", "id": "1", "expires": "soon", "eta": "[]"}),
    "embedded": _message(body=base64.b64encode(b'[[], {}, {"callbacks": 7, "chord": []}]').decode()),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:Exception raised outside body")  # how Celery reports wrong callbacks
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_worker_goes_on_after_a_hostile_message(app: Celery, folder: Path, text: str) -> None:
    ran = threading.Event()

    @app.task(name="own.note", shared=False)
    def note(is_real: bool = False) -> None:
        if is_real:
            ran.set()

    (folder / "0.talk.msg").write_text(text)
    note.apply_async(kwargs={"is_real": True})
    with working(app, "talk"):
        assert ran.wait(MAX_WAIT)
    assert list(folder.iterdir()) == []


def _connect(app: Celery) -> Connection:
    connection: Connection = app.connection_for_read()
    return connection
