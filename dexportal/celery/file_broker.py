"""The embedded broker: Kombu's broker of files, made safe for processes that start and write at once.

Kombu's own writes messages and its table of bindings where others already read them: now and then a worker reads an
empty file and dies of it. Here a message is written aside and renamed, and there is no table: a queue has the name of
its routing key. Must not know what the messages say.
"""

import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _queue_bind(self, *_binding: Any) -> None:
        pass

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        return [routing_key]

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]  # parents' types disagree
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns():020}_{uuid4()}.{queue}.msg"  # readers take them in the order of their names
        draft = folder / f"{name}.draft"  # no reader takes a name that ends so
        draft.write_text(dumps(payload))
        os.replace(draft, folder / name)


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES["spool"] = "dexportal.celery.file_broker:Transport"
