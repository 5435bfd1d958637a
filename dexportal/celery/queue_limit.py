"""Upper bound on the messages that wait in one queue.

Messages expire, but Redis keeps an expired message until a worker takes it. A queue without a worker would grow until
Redis is full and the other workers get nothing either. A message that is not sent loses nothing: the database holds the
work, and beat sends again when there is room.
"""

from typing import Any

from celery import Celery
from django.conf import settings
from kombu import Connection


def has_room(app: Celery, broker: Connection, task: str) -> bool:
    """Ask the broker whether the task's queue may take one more message. Raises the broker's errors."""
    queue: str = app.amqp.router.route({}, task)["queue"].name
    channel: Any = broker.default_channel
    waiting: int = channel.queue_declare(queue).message_count
    return waiting < settings.MESSAGES_MAX
