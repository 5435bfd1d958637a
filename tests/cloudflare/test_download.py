"""Downloads: whole, continued, cut, too large, encoded, and what is not a file at all."""

import gzip
from collections.abc import Callable, Mapping
from time import monotonic

import pytest

from commands.cloudflare.client import Client
from commands.cloudflare.downloads import Download
from commands.cloudflare.errors import (
    CloudflareError,
    DeadlineExceeded,
    NotFound,
    OutcomeUnknown,
    Refused,
    Rejected,
    ReportedFailure,
    TooLarge,
    Truncated,
    Unreadable,
)
from commands.cloudflare.types import Call
from tests.cloudflare.conftest import ACCOUNT, BRIEF, IMPATIENT, LIMITS, RETRYING, Connect, Serve
from tests.cloudflare.raw_server import Act, Upstream, drip, hang, head, no, raw, reset, say, then_hang

FILE = bytes(range(256)) * 800  # 204 800 bytes, several chunks
TAG = {"ETag": '"v1"', "Accept-Ranges": "bytes"}


def part(start: int, *, total: int = len(FILE), tag: Mapping[str, str] | None = None, end: int = len(FILE)) -> Act:
    span = {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
    return say(FILE[start:end], 206, span | dict(TAG if tag is None else tag))


def fetched(client: Client, **options: object) -> tuple[Download, bytes]:
    with client.download("c1", "c1.zip", **options) as file:  # type: ignore[arg-type]
        return file, b"".join(file.chunks())


def gather(file: Download, into: bytearray) -> None:
    for chunk in file.chunks():
        into += chunk


def targets(upstream: Upstream) -> list[str]:
    return [request.target.removeprefix(f"/client/v4/accounts/{ACCOUNT}/dex/") for request in upstream.received]


def test_a_whole_file_comes_in_bounded_chunks(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(FILE, headers=TAG))
    with connect(upstream).download("c1", "c1.zip") as file:
        chunks = list(file.chunks())
    assert b"".join(chunks) == FILE
    assert max(len(chunk) for chunk in chunks) <= 64 * 1024
    assert (file.total, file.starts_at, file.etag, file.resumable) == (len(FILE), 0, '"v1"', True)
    request = upstream.received[0]
    assert targets(upstream) == ["commands/c1/downloads/c1.zip"]
    assert request.headers["accept-encoding"] == "identity"
    assert not {"range", "if-range"} & request.headers.keys()


def test_a_part_is_continued_where_it_ended(serve: Serve, connect: Connect) -> None:
    upstream = serve(part(1000))
    file, data = fetched(connect(upstream), offset=1000, etag='"v1"', total=len(FILE))
    assert (file.starts_at, file.total) == (1000, len(FILE))
    assert FILE[:1000] + data == FILE
    headers = upstream.received[0].headers
    assert (headers["range"], headers["if-range"]) == ("bytes=1000-", '"v1"')


def test_a_file_that_changed_comes_from_its_beginning(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(FILE, headers={"ETag": '"v2"'}))
    file, data = fetched(connect(upstream), offset=1000, etag='"v1"')
    assert (file.starts_at, file.etag, data) == (0, '"v2"', FILE)
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(part(900), id="starts elsewhere"),
        pytest.param(part(1000, total=len(FILE) + 1), id="another total"),
        pytest.param(part(1000, tag={"ETag": '"v2"'}), id="another tag"),
        pytest.param(say(FILE[1000:], 206, TAG), id="no range"),
        pytest.param(say(b"x", 206, TAG | {"Content-Range": "bytes 1000-999/1"}), id="a senseless range"),
        pytest.param(say(b"x", 206, TAG | {"Content-Range": f"bytes 1000-{len(FILE) - 1}/*"}), id="no total"),
        pytest.param(say(no(), 416), id="not satisfiable"),
        pytest.param(
            say(
                gzip.compress(FILE[1000:]),
                206,
                {"Content-Range": f"bytes 1000-{len(FILE) - 1}/{len(FILE)}", "Content-Encoding": "gzip"},
            ),
            id="encoded",
        ),
    ],
)
def test_a_part_that_does_not_fit_is_asked_for_from_zero(act: Act, serve: Serve, connect: Connect) -> None:
    upstream = serve(act, say(FILE, headers=TAG))
    file, data = fetched(connect(upstream), offset=1000, etag='"v1"', total=len(FILE))
    assert (file.starts_at, data) == (0, FILE)
    assert "range" not in upstream.received[1].headers


@pytest.mark.parametrize("etag", ["", 'W/"v1"', '"v1"\r\nX: y', '"ü"'])
def test_without_a_strong_tag_nothing_is_continued(etag: str, serve: Serve, connect: Connect) -> None:
    upstream = serve(say(FILE))
    file, data = fetched(connect(upstream), offset=1000, etag=etag)
    assert (file.starts_at, data, file.resumable) == (0, FILE, False)
    assert "range" not in upstream.received[0].headers


def test_another_rejection_of_a_part_is_not_taken_for_a_shorter_file(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(no(), 400))
    with pytest.raises(Rejected):
        fetched(connect(upstream), offset=1000, etag='"v1"')
    assert len(upstream.received) == 1


def test_a_part_of_a_part_says_where_it_was_cut(serve: Serve, connect: Connect) -> None:
    upstream = serve(part(1000, end=5000))
    got = bytearray()
    with (
        connect(upstream).download("c1", "c1.zip", offset=1000, etag='"v1"') as file,
        pytest.raises(Truncated, match="5000"),
    ):
        gather(file, got)
    assert bytes(got) == FILE[1000:5000]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        pytest.param(raw(head(200, {"Content-Length": "5000"}) + FILE[:1000]), Truncated, id="too short"),
        pytest.param(raw(head(200, {"Transfer-Encoding": "chunked"}) + b"ff\r\nabc"), Truncated, id="cut chunk"),
        pytest.param(then_hang(head(200, {"Content-Length": "5000"}) + FILE[:1000]), OutcomeUnknown, id="hangs"),
        pytest.param(
            raw(head(200, {"Content-Encoding": "gzip"}) + gzip.compress(FILE)[:-20]), Truncated, id="cut gzip"
        ),
    ],
)
def test_a_file_that_ends_early_is_never_complete(
    act: Act, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    with (
        connect(serve(act), limits=IMPATIENT).download("c1", "c1.zip") as file,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        list(file.chunks())
    assert type(caught.value) is kind


def test_what_came_before_the_cut_can_be_kept(serve: Serve, connect: Connect) -> None:
    cut = raw(head(200, TAG | {"Content-Length": str(len(FILE))}) + FILE[:70_000])
    got = bytearray()
    client = connect(serve(cut, part(70_000)))
    with client.download("c1", "c1.zip") as first, pytest.raises(Truncated):
        gather(first, got)
    assert len(got) == 70_000
    _, rest = fetched(client, offset=len(got), etag=first.etag, total=first.total)
    assert bytes(got) + rest == FILE


def test_bytes_after_the_announced_length_are_not_the_files(serve: Serve, connect: Connect) -> None:
    upstream = serve(raw(head(200, {"Content-Length": "1000"}) + FILE))
    assert fetched(connect(upstream))[1] == FILE[:1000]


def test_a_part_longer_than_its_total_is_unreadable(serve: Serve, connect: Connect) -> None:
    liar = say(FILE, 206, {"Content-Range": "bytes 0-999/1000"})
    with connect(serve(liar)).download("c1", "c1.zip") as file, pytest.raises(Unreadable):
        list(file.chunks())


def test_an_announced_giant_is_refused_before_its_first_byte(serve: Serve, connect: Connect) -> None:
    upstream = serve(then_hang(head(200, {"Content-Length": "300001"})))
    with pytest.raises(TooLarge), connect(upstream).download("c1", "c1.zip"):
        raise AssertionError("it was opened")


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(raw(head(200) + FILE * 2), id="without a length"),
        pytest.param(say(gzip.compress(b"0" * 50_000_000), headers={"Content-Encoding": "gzip"}), id="bomb"),
    ],
)
def test_a_giant_that_was_not_announced_is_stopped_at_the_cap(act: Act, serve: Serve, connect: Connect) -> None:
    got = bytearray()
    with connect(serve(act)).download("c1", "c1.zip") as file, pytest.raises(TooLarge):
        gather(file, got)
    assert LIMITS.max_artifact_bytes - 64 * 1024 <= len(got) <= LIMITS.max_artifact_bytes


def test_an_encoded_file_is_decoded_and_not_resumable(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(gzip.compress(FILE), headers=TAG | {"Content-Encoding": "gzip"}))
    file, data = fetched(connect(upstream))
    assert data == FILE
    assert (file.encoded, file.resumable, file.total) == (True, False, None)


def test_a_dripping_file_ends_at_the_deadline(serve: Serve, connect: Connect) -> None:
    client = connect(serve(drip(head(200))), limits=BRIEF)
    began = monotonic()
    with client.download("c1", "c1.zip") as file, pytest.raises(DeadlineExceeded):
        list(file.chunks())
    assert 0.5 < monotonic() - began < 5


def test_the_unpublished_address_is_asked_once_when_the_documented_one_has_nothing(
    serve: Serve, connect: Connect
) -> None:
    calls: list[Call] = []
    upstream = serve(say(no(7003), 404), say(FILE))
    _, data = fetched(connect(upstream, permit=calls.append), device_id="dev-1")
    assert data == FILE
    assert targets(upstream) == ["commands/c1/downloads/c1.zip", "devices/dev-1/commands/downloads/c1.zip"]
    assert calls == [Call.DOWNLOAD] * 2


def test_a_file_that_neither_address_has_is_not_found(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(no(7003), 404), say(no(1), 404))
    with pytest.raises(NotFound) as caught:
        fetched(connect(upstream), device_id="dev-1")
    assert caught.value.code == 7003
    assert len(upstream.received) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_the_unpublished_address_says_nothing_of_the_account(
    status: int, serve: Serve, connect: Connect
) -> None:
    upstream = serve(say(no(7003), 404), say(no(10000), status))
    with pytest.raises(NotFound) as caught:
        fetched(connect(upstream), device_id="dev-1")
    assert caught.value.code == 7003


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (say(no(), 403), Refused),
        (say(b"", 302, {"Location": "/elsewhere"}), Refused),
        (say(no(), 400), Rejected),
        (say(no(1001, "expired"), headers={"Content-Type": "application/json"}), ReportedFailure),
        (say(b"{}", headers={"Content-Type": "application/json; charset=utf-8"}), Unreadable),
        (say({"success": True}, headers={"Content-Type": "application/json"}), Unreadable),
        (say(b"", 204), Unreadable),
        (part(0, end=1000), Unreadable),
        (say(FILE, headers={"Content-Encoding": "br"}), Unreadable),
        (hang, OutcomeUnknown),
    ],
)
def test_what_is_no_file_is_named(act: Act, kind: type[CloudflareError], serve: Serve, connect: Connect) -> None:
    with pytest.raises(kind) as caught:
        fetched(connect(serve(act), limits=IMPATIENT))
    assert type(caught.value) is kind


def test_a_download_is_opened_again_when_the_server_stumbles(serve: Serve, connect: Connect) -> None:
    upstream = serve(reset, say(b"", 503), say(FILE))
    assert fetched(connect(upstream, limits=RETRYING))[1] == FILE


@pytest.mark.parametrize(
    ("said", "segment"),
    [
        ("c1-results.zip", "c1-results.zip"),
        ("https://other.example.org/x/c1.zip?sig=secret#f", "c1.zip"),
        ("https://other.example.org/a%2Fb%2F..%2Fc1.zip", "c1.zip"),
        ("../../../accounts/other/c1.zip", "c1.zip"),
        ("a b?c#d.zip", "a%20b%3Fc%23d.zip"),
        ("", "c1.zip"),
        ("..", "c1.zip"),
        ("https://[broken", "c1.zip"),
    ],
)
def test_the_address_is_our_own_whatever_cloudflare_calls_the_file(
    said: str, segment: str, serve: Serve, connect: Connect
) -> None:
    upstream = serve(say(FILE))
    with connect(upstream).download("c1", said) as file:
        assert b"".join(file.chunks()) == FILE
    assert targets(upstream) == [f"commands/c1/downloads/{segment}"]


def test_leaving_early_lets_the_server_go(serve: Serve, connect: Connect) -> None:
    upstream = serve(say(FILE), say(FILE))
    client = connect(upstream)
    with client.download("c1", "c1.zip") as file:
        next(file.chunks())
    assert fetched(client)[1] == FILE
    assert upstream.connections == 2, "a connection with unread bytes is not used again"


ODD: list[Callable[[Client], object]] = [
    lambda client: client.download("../c1", "c1.zip").__enter__(),
    lambda client: client.download("c1", "c1.zip", device_id="../d").__enter__(),
]


@pytest.mark.parametrize("call", ODD)
def test_an_id_that_would_lead_elsewhere_is_not_asked(
    call: Callable[[Client], object], serve: Serve, connect: Connect
) -> None:
    upstream = serve(say(FILE))
    with pytest.raises(Rejected, match="Not sent"):
        call(connect(upstream))
    assert upstream.connections == 0
