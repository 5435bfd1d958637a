"""Pages of commands and devices, the quota and the analysis; what is tried again, and what ends."""

import gzip
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Thread, Timer
from threading import enumerate as enumerate_threads
from time import monotonic
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
from commands.cloudflare.types import Call, ListedCommand, ListedDevice, QuotaReading
from tests.cloudflare.conftest import ACCOUNT, BRIEF, LIMITS, RETRYING, Connect, Serve
from tests.cloudflare.raw_server import Act, Upstream, close, drip, hang, head, no, ok, raw, reset, say

DATE = {"Date": "Sun, 22 Nov 2026 06:00:00 GMT"}
EMPTY = say(ok({"commands": []}))


def commands(*ids: str) -> Act:
    return say(ok({"commands": [{"id": one} for one in ids], "result_info": {"total_count": 999}}), headers=DATE)


def query(upstream: Upstream, index: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(upstream.received[index].target).query)


def test_a_row_becomes_a_listed_command(serve: Serve, connect: Connect) -> None:
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
        "unheard_of": [],
    }
    page = connect(serve(say(ok({"commands": [row, {}, 7]}), headers=DATE))).list_commands(1)
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


def test_every_filter_is_said_as_the_contract_names_it(serve: Serve, connect: Connect) -> None:
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
def test_a_page_out_of_bounds_is_not_asked(page: int, per_page: int, serve: Serve, connect: Connect) -> None:
    with pytest.raises(ValueError, match="page"):
        connect(serve(EMPTY)).list_commands(page, per_page)


def test_a_time_without_a_zone_is_not_asked(serve: Serve, connect: Connect) -> None:
    with pytest.raises(ValueError, match="zone"):
        connect(serve(EMPTY)).list_commands(1, from_=datetime(2026, 11, 22))  # noqa: DTZ001 - the point


def test_pages_go_on_to_a_short_one(serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    upstream = serve(commands("a", "b"), commands("b", "c"), commands("d"), commands("never", "asked"))
    pages = list(connect(upstream, permit=calls.append).iter_commands(per_page=2))
    assert [[row.id for row in page.rows] for page in pages] == [["a", "b"], ["b", "c"], ["d"]]
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.short for page in pages] == [False, False, True]
    assert [query(upstream, index)["page"] for index in range(3)] == [["1"], ["2"], ["3"]]
    assert calls == [Call.LIST] * 3


def test_pages_go_on_to_an_empty_one(serve: Serve, connect: Connect) -> None:
    pages = list(connect(serve(commands("a", "b"), commands())).iter_commands(per_page=2))
    assert [len(page.rows) for page in pages] == [2, 0]


def test_two_pages_that_repeat_what_was_seen_end_the_listing(serve: Serve, connect: Connect) -> None:
    again = commands("b", "a")
    upstream = serve(commands("a", "b"), commands("c", "d"), again, again, commands("never", "asked"))
    assert len(list(connect(upstream).iter_commands(per_page=2))) == 3
    assert len(upstream.received) == 4


def test_rows_that_push_a_page_down_by_just_a_page_hide_nothing_behind_it(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a", "b"), commands("a", "b"), commands("c", "d"), commands("e"))
    pages = list(connect(upstream).iter_commands(per_page=2))
    assert [row.id for row in pages[-1].rows] == ["e"]


def test_a_listing_without_end_stops_at_the_bound(serve: Serve, connect: Connect) -> None:
    upstream = serve(*(commands(f"a{n}", f"b{n}") for n in range(9)))
    pages = connect(upstream).iter_commands(per_page=2)
    found = [next(pages) for _ in range(LIMITS.max_pages)]
    assert len(found) == LIMITS.max_pages
    with pytest.raises(TooManyPages):
        next(pages)
    assert len(upstream.received) == LIMITS.max_pages


def test_a_row_becomes_a_listed_device(serve: Serve, connect: Connect) -> None:
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
    upstream = serve(say(ok({"devices": [row, {"eligible": "yes", "deviceName": 7}]}), headers=DATE))
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


def test_devices_that_share_a_machine_are_not_a_repetition(serve: Serve, connect: Connect) -> None:
    def devices(*registrations: str) -> Act:
        return say(ok({"devices": [{"deviceId": "d", "registrationId": one} for one in registrations]}))

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
def test_the_quota_is_read_as_far_as_it_goes(
    result: object, quota: tuple[object, ...], serve: Serve, connect: Connect
) -> None:
    found = connect(serve(say(ok(result), headers=DATE))).quota()
    reset_at = datetime(2026, 11, 23, tzinfo=UTC) if quota[2] else None
    assert found == QuotaReading(quota[0], quota[1], reset_at, datetime(2026, 11, 22, 6, tzinfo=UTC))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [ok([{"detection": 1}]), [{"detection": 1}]])
def test_an_analysis_comes_with_an_envelope_or_without(answer: object, serve: Serve, connect: Connect) -> None:
    upstream = serve(say(answer))
    assert connect(upstream).analysis("c1") == [{"detection": 1}]
    assert upstream.received[0].target.endswith("/dex/commands/c1/analysis")


def test_an_analysis_that_is_not_there_is_not_found(serve: Serve, connect: Connect) -> None:
    with pytest.raises(NotFound):
        connect(serve(say(b"", 404))).analysis("c1")


@pytest.mark.parametrize("command", ["", "..", "../quota", "a/b", "a?b", "%2e", "x" * 101])
def test_an_id_that_would_lead_elsewhere_is_not_asked(command: str, serve: Serve, connect: Connect) -> None:
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
def test_an_encoded_answer_is_decoded(encoding: str, body: bytes, serve: Serve, connect: Connect) -> None:
    page = connect(serve(say(body, headers={"Content-Encoding": encoding}))).list_commands(1)
    assert [row.id for row in page.rows] == ["a"]


def test_a_chunked_answer_is_read(serve: Serve, connect: Connect) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (ROW[:10], ROW[10:]))
    upstream = serve(raw(head(200, {"Transfer-Encoding": "chunked"}) + chunks + b"0\r\n\r\n"))
    assert connect(upstream).list_commands(1).rows[0].id == "a"


def test_an_encoded_bomb_is_stopped_at_the_cap(serve: Serve, connect: Connect) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < LIMITS.max_response_bytes
    with pytest.raises(TooLarge):
        connect(serve(say(bomb, headers={"Content-Encoding": "gzip"}))).list_commands(1)


def test_a_cut_encoding_is_truncated(serve: Serve, connect: Connect) -> None:
    with pytest.raises(Truncated):
        connect(serve(say(gzip.compress(ROW)[:-9], headers={"Content-Encoding": "gzip"}))).list_commands(1)


PASSING = [reset, close, say(b"", 500), say(b"", 503), say(b"", 408), raw(head(200)), hang]


@pytest.mark.parametrize("act", PASSING)
def test_a_get_is_tried_again_with_growing_pauses(act: Act, serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    pauses: list[float] = []
    upstream = serve(act, act, commands("a"))
    limits = replace(RETRYING, read_timeout=0.3 if act is hang else 10)
    client = connect(upstream, limits=limits, sleep=pauses.append, permit=calls.append)
    assert client.list_commands(1).rows[0].id == "a"
    assert pauses == [0.25, 0.5]
    assert calls == [Call.LIST] * 3


def test_a_get_gives_up_after_its_tries(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(b"", 502))
    with pytest.raises(OutcomeUnknown):
        connect(upstream, limits=RETRYING).quota()
    assert len(upstream.received) == 3


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (say(no(), 403), CloudflareError),
        (say(no(), 400), Rejected),
        (say(no(), 429), Throttled),
        (say(no(), 429, {"Retry-After": "11"}), Throttled),
        (say(no(), 503, {"Retry-After": "11"}), OutcomeUnknown),
        (say(no()), ReportedFailure),
        (say(b"no json"), Unreadable),
    ],
)
def test_what_will_not_pass_is_not_tried_again(
    act: Act, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    upstream = serve(act)
    with pytest.raises(kind):
        connect(upstream, limits=RETRYING).quota()
    assert len(upstream.received) == 1


def test_a_short_retry_after_is_waited_for(serve: Serve, connect: Connect) -> None:
    pauses: list[float] = []
    upstream = serve(say(no(), 429, {"Retry-After": "1"}), commands("a"))
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
def test_retry_after_is_read_in_both_forms(header: str, seconds: float | None, serve: Serve, connect: Connect) -> None:
    upstream = serve(say(no(), 429, {"Retry-After": header} | DATE))
    with pytest.raises(Throttled) as caught:
        connect(upstream, limits=replace(RETRYING, max_retry_after=-1)).quota()
    assert caught.value.retry_after == seconds


def test_no_try_begins_when_its_pause_would_pass_the_deadline(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(b"", 500))
    limits = replace(LIMITS, tries=9, backoff=100, max_backoff=100)
    with pytest.raises(OutcomeUnknown):
        connect(upstream, limits=limits).quota()
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "act", [drip(b"HTTP/1.1 200 OK\r\nX: "), drip(head(200)), drip(b"", b"HTTP/1.1 100 C\r\n\r\n")]
)
def test_a_dripping_server_does_not_hold_a_get_past_its_deadline(act: Act, serve: Serve, connect: Connect) -> None:
    client = connect(serve(act), limits=replace(BRIEF, tries=9, backoff=0.01))
    began = monotonic()
    with pytest.raises(DeadlineExceeded):
        client.quota()
    assert 0.5 < monotonic() - began < 5


def test_a_kept_connection_that_the_server_closed_costs_a_try_and_no_answer(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a"), close, commands("b"))
    client = connect(upstream, limits=RETRYING)
    assert client.list_commands(1).rows[0].id == "a"
    assert client.list_commands(1).rows[0].id == "b"


def test_an_answer_that_goes_on_after_its_length_does_not_poison_the_next(serve: Serve, connect: Connect) -> None:
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    upstream = serve(raw(head(200, {"Content-Length": str(len(ROW))}) + ROW + extra), commands("b"))
    client = connect(upstream, limits=RETRYING)
    assert client.list_commands(1).rows[0].id == "a"
    assert client.list_commands(1).rows[0].id == "b"


def test_one_client_serves_many_threads(serve: Serve, connect: Connect) -> None:
    upstream = serve(commands("a"))
    client = connect(upstream)
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(client.list_commands, range(1, 41)))
    assert {page.rows[0].id for page in pages} == {"a"}
    assert sorted(query(upstream, index)["page"][0] for index in range(40)) == sorted(map(str, range(1, 41)))


def test_no_watch_outlives_its_call(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    before = watches()
    upstream = serve(commands("a"), say(no(), 400), reset, say(b"no json"))
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
    for watch in watches() - before:
        watch.join(5)  # a cancelled one ends at once, the deadline is further away
        assert not watch.is_alive()


def watches() -> set[Thread]:
    return {thread for thread in enumerate_threads() if isinstance(thread, Timer)}


def test_a_client_that_nobody_answers_tries_and_says_not_sent(connect: Connect) -> None:
    calls: list[Call] = []
    with pytest.raises(NotSent):
        connect("http://127.0.0.1:1", limits=RETRYING, permit=calls.append).quota()
    assert calls == [Call.QUOTA] * 3
