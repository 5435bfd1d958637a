"""Embedded broker: Kombu's filesystem transport, made safe for several processes that start and write at once.

Kombu writes messages, and its table of bindings, in place. Now and then a worker reads a file that is still empty, and
crashes. Here a message is written under another name and then renamed. No table is needed, because each queue has the
name of its routing key. This module must not depend on the content of messages.
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
        name = f"{time.time_ns():020}_{uuid4()}.{queue}.msg"  # readers take messages in the order of their names
        draft = folder / f"{name}.draft"  # readers take only names that end in .msg
        draft.write_text(dumps(payload))
        os.replace(draft, folder / name)


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES["spool"] = "dexportal.celery.file_broker:Transport"
