"""Kept-alive connections obey the deadline of the request that uses them."""

from time import monotonic

import pytest
from requests import Request
from requests.exceptions import ConnectionError as BrokenError

from commands.cloudflare.deadline_connection import Attempt, DeadlineAdapter, use_attempt
from commands.cloudflare.errors import DeadlineExceeded
from tests.cloudflare.conftest import SHORT_DEADLINE, Connect, Serve
from tests.cloudflare.raw_server import drip, head, respond, success
from tests.polling import MAX_WAIT


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\nX: ", head(200)], ids=["headers", "body"])
def test_deadline_of_the_second_request_ends_a_kept_alive_connection(
    data: bytes, serve: Serve, connect: Connect
) -> None:
    upstream = serve(respond(success({})), drip(data))
    client = connect(upstream, limits=SHORT_DEADLINE)
    client.quota()
    with pytest.raises(DeadlineExceeded):
        client.quota()
    assert upstream.connections == 1


def test_expired_attempt_sends_nothing_over_a_kept_alive_connection(serve: Serve) -> None:
    upstream = serve(respond(b"kept"))
    request = Request("GET", upstream.url).prepare()
    adapter = DeadlineAdapter()
    first, late = Attempt(monotonic() + MAX_WAIT), Attempt(monotonic() - 1)
    with use_attempt(first):
        assert adapter.send(request, timeout=MAX_WAIT).content == b"kept"
    with use_attempt(late), pytest.raises(BrokenError):
        adapter.send(request, timeout=MAX_WAIT)
    assert (first.sent, late.sent) == (True, False)
    assert len(upstream.received) == 1
    first.close()
    late.close()
    adapter.close()
