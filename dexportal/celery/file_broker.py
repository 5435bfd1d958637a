"""Embedded broker: Kombu's filesystem transport, made safe for several processes that start, write and die at any time.

Kombu writes messages, and its table of bindings, in place, and a file that it cannot read ends the worker. Here a
message is written under another name, synced and then renamed. A reader discards a file that is no message, and goes on
with the next one. No table is needed, because each queue has the name of its routing key.
"""

import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

import structlog
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.transport.virtual import Message
from kombu.utils.json import dumps, loads

MESSAGE_BYTES = 1_000_000  # far above any message of this project
logger = structlog.get_logger(__name__)


class Channel(filesystem.Channel):
    def _queue_bind(self, *_binding: Any) -> None:
        pass

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        return [routing_key]

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]  # parents' types disagree
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns():020}_{uuid4()}.{queue}.msg"  # readers take messages in the order of their names
        draft = folder / f"{name}.draft"  # readers take only names that end in .msg
        try:
            with draft.open("x") as file:
                file.write(dumps(payload))
                file.flush()
                # Otherwise a power cut could leave the renamed file empty.
                os.fsync(file.fileno())
            os.replace(draft, folder / name)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f"{name}.taken"
            try:
                os.rename(folder / name, taken)
            except OSError:  # another worker took it
                continue
            try:
                return self._read(taken)
            except Exception as problem:  # hostile content raises whatever the decoders raise
                logger.warning("file of the broker discarded: it is no message", file=name, problem=repr(problem)[:200])
            finally:
                _remove(taken)
        raise Empty

    def _read(self, path: Path) -> dict[str, Any]:
        """Return a message of this transport. Raises an error for any other content."""
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise ValueError("it is no regular file")
        with path.open("rb") as file:
            text = file.read(MESSAGE_BYTES + 1)
        if len(text) > MESSAGE_BYTES:
            raise ValueError(f"it has more than {MESSAGE_BYTES} bytes")
        payload: dict[str, Any] = loads(text)
        _check(self.Message(payload, channel=self))
        return payload


def _check(message: Message) -> None:
    """Raise an error for a message that is not of the shape that Celery's protocol 2 requires.

    Celery handles wrong values, such as an unknown task. Wrong types end the worker.
    """
    headers = message.headers
    args, kwargs, embed = message.payload
    typed = [
        (message.delivery_tag, str),
        (message.delivery_info, dict),
        (headers["task"], str),
        (headers["id"], str),
        (headers.get("retries"), int | None),
        (headers.get("timelimit"), list | None),
        (headers.get("eta"), str | None),
        (headers.get("expires"), str | None),
        (args, list),
        (kwargs, dict),
        (embed, dict),
    ]
    if not all(isinstance(part, expected) for part, expected in typed):
        raise ValueError("a part of the message has the wrong type")


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES["spool"] = "dexportal.celery.file_broker:Transport"
