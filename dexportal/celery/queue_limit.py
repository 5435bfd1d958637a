"""A queue that nobody reads is not filled for ever: a broker that is full takes nothing for the other workers either.

Its messages expire, but Redis keeps them until a worker takes them. What is not sent is not lost: the database says
what is to be done, and beat sends again when there is room.
"""

from typing import Any

from celery import Celery
from django.conf import settings
from kombu import Connection


def has_room(app: Celery, broker: Connection, task: str) -> bool:
    """Whether the queue of this task may take a message more. Asks the broker; raises what its absence raises."""
    queue: str = app.amqp.router.route({}, task)["queue"].name
    channel: Any = broker.default_channel
    waiting: int = channel.queue_declare(queue).message_count
    return waiting < settings.MESSAGES_MAX
