"""GET requests: quota and analysis, the limits of every response, and connections that are used again."""

import gzip
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Thread, Timer
from threading import enumerate as enumerate_threads

import pytest

from commands.cloudflare.errors import CloudflareError, NotFound, Rejected, TooLarge, Truncated
from commands.cloudflare.types import QuotaReading
from tests.cloudflare.conftest import LIMITS, RETRYING, Connect, Serve
from tests.cloudflare.listing_replies import DATE, EMPTY, commands, query
from tests.cloudflare.raw_server import close, failure, head, reset, respond, send, success


@pytest.mark.parametrize(
    ("result", "quota"),
    [
        ({"quota": 200, "quota_usage": 12.0, "reset_time": "2026-11-23T00:00:00Z"}, (200, 12, True)),
        ({"quota": "200", "quota_usage": -1, "reset_time": "soon"}, (200, None, False)),
        ({}, (None, None, False)),
        (None, (None, None, False)),
    ],
)
def test_unreadable_quota_fields_become_none(
    result: object, quota: tuple[object, ...], serve: Serve, connect: Connect
) -> None:
    found = connect(serve(respond(success(result), headers=DATE))).quota()
    reset_at = datetime(2026, 11, 23, tzinfo=UTC) if quota[2] else None
    assert found == QuotaReading(quota[0], quota[1], reset_at, datetime(2026, 11, 22, 6, tzinfo=UTC))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [success([{"detection": 1}]), [{"detection": 1}]])
def test_analysis_is_read_with_and_without_an_envelope(answer: object, serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(answer))
    assert connect(upstream).analysis("c1") == [{"detection": 1}]
    assert upstream.received[0].target.endswith("/dex/commands/c1/analysis")


def test_missing_analysis_is_not_found(serve: Serve, connect: Connect) -> None:
    with pytest.raises(NotFound):
        connect(serve(respond(b"", 404))).analysis("c1")


@pytest.mark.parametrize("command", ["", "..", "../quota", "a/b", "a?b", "%2e", "x" * 101])
def test_id_that_is_not_a_path_segment_is_not_sent(command: str, serve: Serve, connect: Connect) -> None:
    upstream = serve(EMPTY)
    with pytest.raises(Rejected, match="Not sent"):
        connect(upstream).analysis(command)
    assert upstream.connections == 0


ROW = b'{"success": true, "result": {"commands": [{"id": "a"}]}}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(ROW)),
        ("GZIP", gzip.compress(ROW)),
        ("deflate", zlib.compress(ROW)),
        ("identity", ROW),
        ("", ROW),
    ],
    ids=["gzip", "upper case", "deflate", "identity", "none"],
)
def test_encoded_response_is_decoded(encoding: str, body: bytes, serve: Serve, connect: Connect) -> None:
    page = connect(serve(respond(body, headers={"Content-Encoding": encoding}))).list_commands(1)
    assert [row.id for row in page.rows] == ["a"]


def test_chunked_response_is_read(serve: Serve, connect: Connect) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (ROW[:10], ROW[10:]))
    upstream = serve(send(head(200, {"Transfer-Encoding": "chunked"}) + chunks + b"0\r\n\r\n"))
    assert connect(upstream).list_commands(1).rows[0].id == "a"


def test_compression_bomb_stops_at_the_limit(serve: Serve, connect: Connect) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < LIMITS.max_response_bytes
    with pytest.raises(TooLarge):
        connect(serve(respond(bomb, headers={"Content-Encoding": "gzip"}))).list_commands(1)


def test_cut_gzip_body_is_truncated(serve: Serve, connect: Connect) -> None:
    with pytest.raises(Truncated):
        connect(serve(respond(gzip.compress(ROW)[:-9], headers={"Content-Encoding": "gzip"}))).list_commands(1)


def test_get_is_retried_when_the_server_closed_a_kept_alive_connection(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a"), close, commands("b"))
    client = connect(upstream, limits=RETRYING)
    assert client.list_commands(1).rows[0].id == "a"
    assert client.list_commands(1).rows[0].id == "b"


def test_bytes_after_a_response_do_not_become_the_next_response(serve: Serve, connect: Connect) -> None:
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    upstream = serve(send(head(200, {"Content-Length": str(len(ROW))}) + ROW + extra), commands("b"))
    client = connect(upstream, limits=RETRYING)
    assert client.list_commands(1).rows[0].id == "a"
    assert client.list_commands(1).rows[0].id == "b"


def test_several_threads_can_share_a_client(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a"))
    client = connect(upstream)
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(client.list_commands, range(1, 41)))
    assert {page.rows[0].id for page in pages} == {"a"}
    assert sorted(query(upstream, index)["page"][0] for index in range(40)) == sorted(map(str, range(1, 41)))


def test_no_deadline_timer_outlives_its_call(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    before = deadline_timers()
    upstream = serve(commands("a"), respond(failure(), 400), reset, respond(b"no json"))
    client = connect(upstream)
    client.list_commands(1)
    for _ in range(3):
        with pytest.raises(CloudflareError):
            client.list_commands(1)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(socket, "getaddrinfo", interrupted)
    with pytest.raises(KeyboardInterrupt):
        connect(upstream).list_commands(1)
    for timer in deadline_timers() - before:
        timer.join(LIMITS.deadline / 2)  # a cancelled timer ends before its deadline
        assert not timer.is_alive()


def deadline_timers() -> set[Thread]:
    return {thread for thread in enumerate_threads() if isinstance(thread, Timer)}
