"""GET requests: listings, quota and analysis, and the retries and limits that all of them share."""

import gzip
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Thread, Timer
from threading import enumerate as enumerate_threads
from urllib.parse import parse_qs, urlsplit

import pytest

from commands.cloudflare.errors import (
    CloudflareError,
    DeadlineExceeded,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Rejected,
    ReportedFailure,
    Throttled,
    TooLarge,
    TooManyPages,
    Truncated,
    Unreadable,
)
from commands.cloudflare.types import Call, ListedDevice, QuotaReading
from commands.rules.listed_command import ListedCommand
from tests.cloudflare.conftest import ACCOUNT, LIMITS, RETRYING, SHORT_DEADLINE, SHORT_READ_TIMEOUT, Connect, Serve
from tests.cloudflare.raw_server import (
    RawServer,
    Reply,
    close,
    drip,
    failure,
    hang,
    head,
    reset,
    respond,
    send,
    success,
)
from tests.polling import MAX_WAIT

DATE = {"Date": "Sun, 22 Nov 2026 06:00:00 GMT"}
EMPTY = respond(success({"commands": []}))


def commands(*ids: str) -> Reply:
    return respond(
        success({"commands": [{"id": id_} for id_ in ids], "result_info": {"total_count": 999}}), headers=DATE
    )


def query(upstream: RawServer, index: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(upstream.received[index].target).query)


def test_row_becomes_a_listed_command(serve: Serve, connect: Connect) -> None:
    row: dict[str, object] = {
        "id": "C1",
        "type": "pcap",
        "status": "SUCCESS",
        "device_id": "D1",
        "registration_id": None,
        "user_email": " Ann@Example.com ",
        "created_date": "2026-11-22T05:00:00.5Z",
        "completed_date": "2026-11-22 05:06:00+00",
        "filename": "https://files.example.org/a/C1.zip?sig=1",
        "unknown_field": [],
    }
    page = connect(serve(respond(success({"commands": [row, {}, 7]}), headers=DATE))).list_commands(1)
    assert page.rows == (
        ListedCommand(
            id="c1",
            kind="pcap",
            status="SUCCESS",
            device_id="d1",
            registration_id="",
            user_email="ann@example.com",
            created_date=datetime(2026, 11, 22, 5, 0, 0, 500_000, tzinfo=UTC),
            completed_date=datetime(2026, 11, 22, 5, 6, tzinfo=UTC),
            filename="C1.zip",
        ),
        ListedCommand("", "", "", "", "", "", None, None, ""),
    )
    assert (page.short, page.unreadable) == (True, 1)
    assert page.date == datetime(2026, 11, 22, 6, tzinfo=UTC)


def test_filters_become_query_parameters_of_the_api(serve: Serve, connect: Connect) -> None:
    upstream = serve(EMPTY)
    zone = timezone(timedelta(hours=2))
    connect(upstream).list_commands(
        3,
        20,
        from_=datetime(2026, 11, 22, 8, 0, 0, 900_000, tzinfo=zone),
        to=datetime(2026, 11, 22, 8, 0, 0, 100_000, tzinfo=zone),
        device_id="d1",
        user_email="ann+x@example.com",
        kind="pcap",
        status="FAILED",
    )
    assert urlsplit(upstream.received[0].target).path == f"/client/v4/accounts/{ACCOUNT}/dex/commands"
    assert query(upstream) == {
        "page": ["3"],
        "per_page": ["20"],
        "from": ["2026-11-22T06:00:00Z"],
        "to": ["2026-11-22T06:00:01Z"],
        "device_id": ["d1"],
        "user_email": ["ann+x@example.com"],
        "command_type": ["pcap"],
        "status": ["FAILED"],
    }
    connect(upstream).list_commands(1)
    assert query(upstream) == {"page": ["1"], "per_page": ["50"]}


@pytest.mark.parametrize(("page", "per_page"), [(0, 50), (1, 0), (1, 51)])
def test_page_number_out_of_range_is_a_value_error(page: int, per_page: int, serve: Serve, connect: Connect) -> None:
    with pytest.raises(ValueError, match="page"):
        connect(serve(EMPTY)).list_commands(page, per_page)


def test_time_without_a_zone_is_a_value_error(serve: Serve, connect: Connect) -> None:
    with pytest.raises(ValueError, match="zone"):
        connect(serve(EMPTY)).list_commands(1, from_=datetime(2026, 11, 22))  # noqa: DTZ001 - the missing zone is tested


def test_listing_ends_with_a_short_page(serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    upstream = serve(commands("a", "b"), commands("b", "c"), commands("d"), commands("never", "requested"))
    pages = list(connect(upstream, permit=calls.append).iter_commands(per_page=2))
    assert [[row.id for row in page.rows] for page in pages] == [["a", "b"], ["b", "c"], ["d"]]
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.short for page in pages] == [False, False, True]
    assert [query(upstream, index)["page"] for index in range(3)] == [["1"], ["2"], ["3"]]
    assert calls == [Call.LIST] * 3


def test_listing_ends_with_an_empty_page(serve: Serve, connect: Connect) -> None:
    pages = list(connect(serve(commands("a", "b"), commands())).iter_commands(per_page=2))
    assert [len(page.rows) for page in pages] == [2, 0]


def test_two_repeated_pages_end_the_listing(serve: Serve, connect: Connect) -> None:
    again = commands("b", "a")
    upstream = serve(commands("a", "b"), commands("c", "d"), again, again, commands("never", "requested"))
    assert len(list(connect(upstream).iter_commands(per_page=2))) == 3
    assert len(upstream.received) == 4


def test_one_repeated_page_does_not_end_the_listing(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a", "b"), commands("a", "b"), commands("c", "d"), commands("e"))
    pages = list(connect(upstream).iter_commands(per_page=2))
    assert [row.id for row in pages[-1].rows] == ["e"]


def test_endless_listing_stops_at_max_pages(serve: Serve, connect: Connect) -> None:
    upstream = serve(*(commands(f"a{n}", f"b{n}") for n in range(9)))
    pages = connect(upstream).iter_commands(per_page=2)
    read_pages = [next(pages) for _ in range(LIMITS.max_pages)]
    assert len(read_pages) == LIMITS.max_pages
    with pytest.raises(TooManyPages):
        next(pages)
    assert len(upstream.received) == LIMITS.max_pages


def test_row_becomes_a_listed_device(serve: Serve, connect: Connect) -> None:
    row = {
        "deviceId": "D1",
        "deviceName": "ann's laptop",
        "eligible": False,
        "ineligibleReason": "version",
        "personEmail": "Ann@Example.com",
        "platform": "Windows",
        "registrationId": "R1",
        "status": "connected",
        "timestamp": "2023-10-11 00:00:00+00",
        "version": "2024.12.492.0",
    }
    upstream = serve(respond(success({"devices": [row, {"eligible": "yes", "deviceName": 7}]}), headers=DATE))
    page = connect(upstream).list_devices(1, search="ann")
    assert page.rows == (
        ListedDevice(
            device_id="d1",
            registration_id="r1",
            user_email="ann@example.com",
            name="ann's laptop",
            platform="windows",
            version="2024.12.492.0",
            status="connected",
            eligible=False,
            ineligible_reason="version",
            seen_at=datetime(2023, 10, 11, tzinfo=UTC),
        ),
        ListedDevice("", "", "", "7", "", "", "", None, "", None),
    )
    assert urlsplit(upstream.received[0].target).path.endswith("/dex/commands/devices")
    assert query(upstream)["search"] == ["ann"]


def test_registrations_of_one_device_are_different_rows(serve: Serve, connect: Connect) -> None:
    def devices(*registrations: str) -> Reply:
        return respond(success({"devices": [{"deviceId": "d", "registrationId": id_} for id_ in registrations]}))

    pages = list(connect(serve(devices("r1", "r2"), devices("r3"))).iter_devices(per_page=2))
    assert [row.registration_id for page in pages for row in page.rows] == ["r1", "r2", "r3"]


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
    reading = connect(serve(respond(success(result), headers=DATE))).quota()
    reset_at = datetime(2026, 11, 23, tzinfo=UTC) if quota[2] else None
    assert reading == QuotaReading(quota[0], quota[1], reset_at, datetime(2026, 11, 22, 6, tzinfo=UTC))  # type: ignore[arg-type]


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


def test_get_to_a_closed_port_is_retried_and_not_sent(connect: Connect) -> None:
    calls: list[Call] = []
    with pytest.raises(NotSent):
        connect("http://127.0.0.1:1", limits=RETRYING, permit=calls.append).quota()
    assert calls == [Call.QUOTA] * 3
