"""What becomes of connections whose other end vanished without a word."""

import socket
from datetime import timedelta
from typing import Any

from kombu import Connection

from dexportal.celery.app import broker_options
from tests import servers


def test_a_worker_notices_a_redis_that_vanished_within_a_minute() -> None:
    with servers.redis() as url:
        options = broker_options(url, timedelta(seconds=5))
        with Connection(url, transport_options=options) as connection:
            channel: Any = connection.default_channel
            ours: socket.socket = channel.client.connection_pool.get_connection()._sock
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, every, tries = (
                ours.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
    assert idle + every * tries < 60
