"""Redis as broker: Kombu's transport, which counts a Redis that refuses to write as down.

A replica, a Redis without memory, and one that cannot save its data accept connections and answer every write with an
error. Kombu takes such an answer for a mistake of the program, and the worker ends. Here opening a channel writes a
key, so a worker waits for such a Redis as for one that refuses connections.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ResponseError

PROBE_KEY = "dexportal.probe"
PROBE_LIFE = 60  # seconds


class Channel(redis.Channel):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.client.set(PROBE_KEY, "", ex=PROBE_LIFE)
        except BaseException:
            self.close()
            raise


class Transport(redis.Transport):
    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, ResponseError)


for _scheme in ("redis", "rediss"):
    TRANSPORT_ALIASES[_scheme] = "dexportal.celery.redis_broker:Transport"
