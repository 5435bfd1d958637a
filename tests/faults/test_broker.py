"""Tests of connections to Redis that break at the wrong moment."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Queue
from pytest_django import Settings
from redis import Redis

from commands import wakeup as wakes
from dexportal.celery import app as celery
from dexportal.celery import heartbeat
from dexportal.celery.app import broker_options
from tests import servers
from tests.servers import Server


@pytest.fixture
def redis_server() -> Iterator[Server]:
    with servers.managed_redis() as server:
        yield server


def test_worker_gets_the_next_message_after_a_failed_acknowledgement(redis_server: Server) -> None:
    """Check that a failed acknowledgement frees the prefetch slot.

    A worker loses a lost slot for ever, and stops with the last one.
    """
    options = broker_options(redis_server.url, timedelta(seconds=1))
    messages: list[Any] = []
    with Connection(redis_server.url, transport_options=options) as connection:
        queue = Queue("talk", routing_key="talk", channel=connection.default_channel)
        queue.declare()
        connection.Producer().publish({}, routing_key="talk", declare=[queue])
        with connection.Consumer(
            queue, callbacks=[lambda _body, message: messages.append(message)], prefetch_count=1
        ) as consumer:
            connection.drain_events(timeout=5)
            redis_server.stop()
            messages[0].ack_log_error(_Log(), connection.connection_errors)
            redis_server.start()
            channel: Any = consumer.channel
            assert channel.qos.can_consume()


@pytest.mark.django_db(transaction=True)
def test_wake_reuses_its_connection_until_redis_restarts(redis_server: Server, settings: Settings) -> None:
    settings.BROKER_URL = redis_server.url
    wakes.backoff.end()
    with Redis.from_url(redis_server.url) as redis:
        wakes.wake("commands.tasks.settle_due")
        before = _connection_count(redis)
        wakes.wake("commands.tasks.settle_due")
        assert redis.llen("talk") == 2
        assert _connection_count(redis) == before
    redis_server.stop()
    redis_server.start()
    wakes.wake("commands.tasks.settle_due")
    with Redis.from_url(redis_server.url) as redis:
        assert redis.llen("talk") == 1
        redis.flushall()
        wakes.wake("commands.tasks.settle_due")
        assert redis.llen("talk") == 1


@pytest.mark.django_db(transaction=True)
def test_unread_redis_queue_is_limited(redis_server: Server, settings: Settings) -> None:
    settings.BROKER_URL, settings.MESSAGES_MAX = redis_server.url, 3
    wakes.backoff.end()
    app = Celery("own", set_as_current=False)
    app.config_from_object(celery.configuration())
    beat = heartbeat.HeartbeatScheduler(app)
    for _ in range(5):
        beat.apply_entry(beat.schedule["collect_due"], producer=beat.producer)
        wakes.wake("commands.tasks.collect_due")
        wakes.wake("commands.tasks.settle_due")
    with Redis.from_url(redis_server.url) as redis:
        assert (redis.llen("fetch"), redis.llen("talk")) == (3, 3)
        redis.ltrim("fetch", 0, 0)
        wakes.wake("commands.tasks.collect_due")
        assert redis.llen("fetch") == 2


def _connection_count(redis: Redis) -> int:
    return int(redis.info("stats")["total_connections_received"])


class _Log:
    def critical(self, *_arguments: object, **_keywords: object) -> None:
        """Ignore the log message, which is not under test."""
