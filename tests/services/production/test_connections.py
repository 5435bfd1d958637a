"""Tests of connections whose other end vanished."""

import socket
from datetime import timedelta
from typing import Any

from kombu import Connection

from dexportal.celery.app import broker_options
from tests import servers


def test_worker_detects_a_vanished_redis_within_a_minute() -> None:
    with servers.redis() as url:
        options = broker_options(url, timedelta(seconds=5))
        with Connection(url, transport_options=options) as connection:
            channel: Any = connection.default_channel
            connection_socket: socket.socket = channel.client.connection_pool.get_connection()._sock
            assert connection_socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, interval, probes = (
                connection_socket.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
    assert idle + interval * probes < 60
