"""Downloads: whole, resumed, truncated, too large and encoded files, and responses that are not a file."""

import gzip
from collections.abc import Callable, Mapping

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
from tests.cloudflare.conftest import ACCOUNT, LIMITS, RETRYING, SHORT_DEADLINE, SHORT_READ_TIMEOUT, Connect, Serve
from tests.cloudflare.raw_server import (
    RawServer,
    Reply,
    drip,
    failure,
    hang,
    head,
    reset,
    respond,
    send,
    send_then_hang,
)

FILE = bytes(range(256)) * 800  # 204 800 bytes, several chunks
TAG = {"ETag": '"v1"', "Accept-Ranges": "bytes"}


def partial(start: int, *, total: int = len(FILE), tag: Mapping[str, str] | None = None, end: int = len(FILE)) -> Reply:
    span = {"Content-Range": f"bytes {start}-{end - 1}/{total}"}
    return respond(FILE[start:end], 206, span | dict(TAG if tag is None else tag))


def download(client: Client, **options: object) -> tuple[Download, bytes]:
    with client.download("c1", "c1.zip", **options) as file:  # type: ignore[arg-type]
        return file, b"".join(file.chunks())


def append_chunks(file: Download, into: bytearray) -> None:
    for chunk in file.chunks():
        into += chunk


def requested_paths(upstream: RawServer) -> list[str]:
    return [request.target.removeprefix(f"/client/v4/accounts/{ACCOUNT}/dex/") for request in upstream.received]


def test_file_is_read_in_chunks_of_at_most_64_kib(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(FILE, headers=TAG))
    with connect(upstream).download("c1", "c1.zip") as file:
        chunks = list(file.chunks())
    assert b"".join(chunks) == FILE
    assert max(len(chunk) for chunk in chunks) <= 64 * 1024
    assert (file.total, file.starts_at, file.etag, file.resumable) == (len(FILE), 0, '"v1"', True)
    request = upstream.received[0]
    assert requested_paths(upstream) == ["commands/c1/downloads/c1.zip"]
    assert request.headers["accept-encoding"] == "identity"
    assert not {"range", "if-range"} & request.headers.keys()


def test_download_resumes_at_the_offset(serve: Serve, connect: Connect) -> None:
    upstream = serve(partial(1000))
    file, data = download(connect(upstream), offset=1000, etag='"v1"', total=len(FILE))
    assert (file.starts_at, file.total) == (1000, len(FILE))
    assert FILE[:1000] + data == FILE
    headers = upstream.received[0].headers
    assert (headers["range"], headers["if-range"]) == ("bytes=1000-", '"v1"')


def test_changed_file_starts_at_zero(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(FILE, headers={"ETag": '"v2"'}))
    file, data = download(connect(upstream), offset=1000, etag='"v1"')
    assert (file.starts_at, file.etag, data) == (0, '"v2"', FILE)
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(partial(900), id="starts elsewhere"),
        pytest.param(partial(1000, total=len(FILE) + 1), id="another total"),
        pytest.param(partial(1000, tag={"ETag": '"v2"'}), id="another ETag"),
        pytest.param(respond(FILE[1000:], 206, TAG), id="no range"),
        pytest.param(respond(b"x", 206, TAG | {"Content-Range": "bytes 1000-999/1"}), id="contradictory range"),
        pytest.param(respond(b"x", 206, TAG | {"Content-Range": f"bytes 1000-{len(FILE) - 1}/*"}), id="no total"),
        pytest.param(respond(failure(), 416), id="not satisfiable"),
        pytest.param(
            respond(
                gzip.compress(FILE[1000:]),
                206,
                {"Content-Range": f"bytes 1000-{len(FILE) - 1}/{len(FILE)}", "Content-Encoding": "gzip"},
            ),
            id="encoded",
        ),
    ],
)
def test_unusable_partial_response_restarts_the_download(reply: Reply, serve: Serve, connect: Connect) -> None:
    upstream = serve(reply, respond(FILE, headers=TAG))
    file, data = download(connect(upstream), offset=1000, etag='"v1"', total=len(FILE))
    assert (file.starts_at, data) == (0, FILE)
    assert "range" not in upstream.received[1].headers


@pytest.mark.parametrize("etag", ["", 'W/"v1"', '"v1"\r\nX: y', '"ü"'])
def test_download_without_a_strong_etag_is_not_resumed(etag: str, serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(FILE))
    file, data = download(connect(upstream), offset=1000, etag=etag)
    assert (file.starts_at, data, file.resumable) == (0, FILE, False)
    assert "range" not in upstream.received[0].headers


def test_only_status_416_restarts_a_rejected_download(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(), 400))
    with pytest.raises(Rejected):
        download(connect(upstream), offset=1000, etag='"v1"')
    assert len(upstream.received) == 1


def test_truncated_rest_names_the_position_in_its_message(serve: Serve, connect: Connect) -> None:
    upstream = serve(partial(1000, end=5000))
    got = bytearray()
    with (
        connect(upstream).download("c1", "c1.zip", offset=1000, etag='"v1"') as file,
        pytest.raises(Truncated, match="5000"),
    ):
        append_chunks(file, got)
    assert bytes(got) == FILE[1000:5000]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(send(head(200, {"Content-Length": "5000"}) + FILE[:1000]), Truncated, id="too short"),
        pytest.param(send(head(200, {"Transfer-Encoding": "chunked"}) + b"ff\r\nabc"), Truncated, id="cut chunk"),
        pytest.param(send_then_hang(head(200, {"Content-Length": "5000"}) + FILE[:1000]), OutcomeUnknown, id="hangs"),
        pytest.param(
            send(head(200, {"Content-Encoding": "gzip"}) + gzip.compress(FILE)[:-20]),
            Truncated,
            id="cut gzip",
        ),
    ],
)
def test_file_that_ends_early_raises(reply: Reply, kind: type[CloudflareError], serve: Serve, connect: Connect) -> None:
    with (
        connect(serve(reply), limits=SHORT_READ_TIMEOUT).download("c1", "c1.zip") as file,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        list(file.chunks())
    assert type(caught.value) is kind


def test_truncated_download_can_be_resumed(serve: Serve, connect: Connect) -> None:
    cut = send(head(200, TAG | {"Content-Length": str(len(FILE))}) + FILE[:70_000])
    got = bytearray()
    client = connect(serve(cut, partial(70_000)))
    with client.download("c1", "c1.zip") as first, pytest.raises(Truncated):
        append_chunks(first, got)
    assert len(got) == 70_000
    _, rest = download(client, offset=len(got), etag=first.etag, total=first.total)
    assert bytes(got) + rest == FILE


def test_bytes_after_the_announced_length_are_ignored(serve: Serve, connect: Connect) -> None:
    upstream = serve(send(head(200, {"Content-Length": "1000"}) + FILE))
    assert download(connect(upstream))[1] == FILE[:1000]


def test_body_longer_than_content_range_is_unreadable(serve: Serve, connect: Connect) -> None:
    too_long = respond(FILE, 206, {"Content-Range": "bytes 0-999/1000"})
    with connect(serve(too_long)).download("c1", "c1.zip") as file, pytest.raises(Unreadable):
        list(file.chunks())


def test_announced_large_file_is_rejected_before_its_first_byte(serve: Serve, connect: Connect) -> None:
    upstream = serve(send_then_hang(head(200, {"Content-Length": "300001"})))
    with pytest.raises(TooLarge), connect(upstream).download("c1", "c1.zip"):
        raise AssertionError("the download was opened")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(send(head(200) + FILE * 2), id="without a length"),
        pytest.param(respond(gzip.compress(b"0" * 50_000_000), headers={"Content-Encoding": "gzip"}), id="bomb"),
    ],
)
def test_unannounced_large_file_stops_at_the_limit(reply: Reply, serve: Serve, connect: Connect) -> None:
    got = bytearray()
    with connect(serve(reply)).download("c1", "c1.zip") as file, pytest.raises(TooLarge):
        append_chunks(file, got)
    assert LIMITS.max_artifact_bytes - 64 * 1024 <= len(got) <= LIMITS.max_artifact_bytes


def test_encoded_file_is_decoded_and_not_resumable(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(gzip.compress(FILE), headers=TAG | {"Content-Encoding": "gzip"}))
    file, data = download(connect(upstream))
    assert data == FILE
    assert (file.encoded, file.resumable, file.total) == (True, False, None)


def test_dripping_download_ends_at_the_deadline(serve: Serve, connect: Connect) -> None:
    client = connect(serve(drip(head(200))), limits=SHORT_DEADLINE)
    with client.download("c1", "c1.zip") as file, pytest.raises(DeadlineExceeded):
        list(file.chunks())


def test_undocumented_url_is_tried_when_the_documented_one_is_not_found(serve: Serve, connect: Connect) -> None:
    calls: list[Call] = []
    upstream = serve(respond(failure(7003), 404), respond(FILE))
    _, data = download(connect(upstream, permit=calls.append), device_id="dev-1")
    assert data == FILE
    assert requested_paths(upstream) == ["commands/c1/downloads/c1.zip", "devices/dev-1/commands/downloads/c1.zip"]
    assert calls == [Call.DOWNLOAD] * 2


def test_file_missing_at_both_urls_is_not_found(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(7003), 404), respond(failure(1), 404))
    with pytest.raises(NotFound) as caught:
        download(connect(upstream), device_id="dev-1")
    assert caught.value.code == 7003
    assert len(upstream.received) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_by_the_undocumented_url_counts_as_not_found(status: int, serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(failure(7003), 404), respond(failure(), status))
    with pytest.raises(NotFound) as caught:
        download(connect(upstream), device_id="dev-1")
    assert caught.value.code == 7003


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (respond(failure(), 403), Refused),
        (respond(b"", 302, {"Location": "/elsewhere"}), Refused),
        (respond(failure(), 400), Rejected),
        (respond(failure(1001, "expired"), headers={"Content-Type": "application/json"}), ReportedFailure),
        (respond(b"{}", headers={"Content-Type": "application/json; charset=utf-8"}), Unreadable),
        (respond({"success": True}, headers={"Content-Type": "application/json"}), Unreadable),
        (respond(b"", 204), Unreadable),
        (partial(0, end=1000), Unreadable),
        (respond(FILE, headers={"Content-Encoding": "br"}), Unreadable),
        (hang, OutcomeUnknown),
    ],
)
def test_response_that_is_not_a_file_raises(
    reply: Reply, kind: type[CloudflareError], serve: Serve, connect: Connect
) -> None:
    with pytest.raises(kind) as caught:
        download(connect(serve(reply), limits=SHORT_READ_TIMEOUT))
    assert type(caught.value) is kind


def test_opening_a_download_is_retried(serve: Serve, connect: Connect) -> None:
    upstream = serve(reset, respond(b"", 503), respond(FILE))
    assert download(connect(upstream, limits=RETRYING))[1] == FILE


@pytest.mark.parametrize(
    ("filename", "segment"),
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
def test_url_ends_with_the_last_segment_of_the_filename(
    filename: str, segment: str, serve: Serve, connect: Connect
) -> None:
    upstream = serve(respond(FILE))
    with connect(upstream).download("c1", filename) as file:
        assert b"".join(file.chunks()) == FILE
    assert requested_paths(upstream) == [f"commands/c1/downloads/{segment}"]


def test_leaving_a_download_early_closes_its_connection(serve: Serve, connect: Connect) -> None:
    upstream = serve(respond(FILE), respond(FILE))
    client = connect(upstream)
    with client.download("c1", "c1.zip") as file:
        next(file.chunks())
    assert download(client)[1] == FILE
    assert upstream.connections == 2, "a connection with unread bytes is not reused"


BAD_IDS: list[Callable[[Client], object]] = [
    lambda client: client.download("../c1", "c1.zip").__enter__(),
    lambda client: client.download("c1", "c1.zip", device_id="../d").__enter__(),
]


@pytest.mark.parametrize("call", BAD_IDS)
def test_id_that_is_not_a_path_segment_is_not_sent(
    call: Callable[[Client], object], serve: Serve, connect: Connect
) -> None:
    upstream = serve(respond(FILE))
    with pytest.raises(Rejected, match="Not sent"):
        call(connect(upstream))
    assert upstream.connections == 0
