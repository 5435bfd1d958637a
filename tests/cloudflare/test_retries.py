"""Retries of GET requests: when, how often, and after which pause."""

from dataclasses import replace

import pytest

from commands.cloudflare.errors import (
    CloudflareError,
    DeadlineExceeded,
    NotSent,
    OutcomeUnknown,
    Rejected,
    ReportedFailure,
    Throttled,
    Unreadable,
)
from commands.cloudflare.types import Call
from tests.cloudflare.conftest import LIMITS, RETRYING, SHORT_DEADLINE, SHORT_READ_TIMEOUT, Connect, Serve
from tests.cloudflare.listing_replies import DATE, commands
from tests.cloudflare.raw_server import Reply, close, drip, failure, hang, head, reset, respond, send
from tests.polling import MAX_WAIT

TRANSIENT = [
    reset,
    close,
    respond(b"", 500),
    respond(b"", 503),
    respond(b"", 408),
    send(head(200)),
    hang,
]


@pytest.mark.parametrize("reply", TRANSIENT)
def test_get_is_retried_with_growing_pauses(reply: Reply, serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    pauses: list[float] = []
    upstream = serve(reply, reply, commands("a"))
    limits = replace(RETRYING, read_timeout=SHORT_READ_TIMEOUT.read_timeout) if reply is hang else RETRYING
    client = connect(upstream, limits=limits, sleep=pauses.append, permit=calls.append)
    assert client.list_commands(1).rows[0].id == "a"
    assert pauses == [0.25, 0.5]
    assert calls == [Call.LIST] * 3


def test_get_stops_after_its_tries(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(b"", 502))
    with pytest.raises(OutcomeUnknown):
        connect(upstream, limits=RETRYING).quota()
    assert len(upstream.received) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (respond(failure(), 403), CloudflareError),
        (respond(failure(), 400), Rejected),
        (respond(failure(), 429), Throttled),
        (respond(failure(), 429, {"Retry-After": "11"}), Throttled),
        (respond(failure(), 503, {"Retry-After": "11"}), OutcomeUnknown),
        (respond(failure()), ReportedFailure),
        (respond(b"no json"), Unreadable),
    ],
)
def test_lasting_errors_are_not_retried(
    reply: Reply, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(reply)
    with pytest.raises(kind):
        connect(upstream, limits=RETRYING).quota()
    assert len(upstream.received) == 1


def test_short_retry_after_is_waited_for(serve: Serve, connect: Connect) -> None:
    pauses: list[float] = []
    upstream = serve(respond(failure(), 429, {"Retry-After": "1"}), commands("a"))
    connect(upstream, limits=RETRYING, sleep=pauses.append).list_commands(1)
    assert pauses == [1.25]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("300", 300),
        ("Sun, 22 Nov 2026 06:05:00 GMT", 300),
        ("Sun, 22 Nov 2026 05:00:00 GMT", 0),
        ("99999999999999", 86_400),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_accepts_seconds_and_dates(
    header: str, seconds: float | None, serve: Serve, connect: Connect
) -> None:
    upstream = serve(respond(failure(), 429, {"Retry-After": header} | DATE))
    with pytest.raises(Throttled) as caught:
        connect(upstream, limits=replace(RETRYING, max_retry_after=-1)).quota()
    assert caught.value.retry_after == seconds


def test_no_retry_when_the_pause_would_pass_the_deadline(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(b"", 500))
    limits = replace(LIMITS, tries=9, backoff=4 * MAX_WAIT, max_backoff=4 * MAX_WAIT)
    with pytest.raises(OutcomeUnknown):
        connect(upstream, limits=limits).quota()
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "reply", [drip(b"HTTP/1.1 200 OK\r\nX: "), drip(head(200)), drip(b"", b"HTTP/1.1 100 C\r\n\r\n")]
)
def test_dripping_response_ends_a_get_at_its_deadline(reply: Reply, serve: Serve, connect: Connect) -> None:
    client = connect(serve(reply), limits=replace(SHORT_DEADLINE, tries=9, backoff=0.01))
    with pytest.raises(DeadlineExceeded):
        client.quota()


def test_get_to_a_closed_port_is_retried_and_not_sent(connect: Connect) -> None:
    calls: list[Call] = []
    with pytest.raises(NotSent):
        connect("http://127.0.0.1:1", limits=RETRYING, permit=calls.append).quota()
    assert calls == [Call.QUOTA] * 3
