"""Faults of connections, status codes, headers and bytes, and their effect on the ledger."""

import gzip
import http.client
import json
import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.polling import MAX_WAIT, eventually
from tests.simulator.in_process import BEARER, DEX, START, LocalSimulator, item


def post_outcome(world: LocalSimulator) -> tuple[int, str, bool]:
    """Read the number of commands, and the outcome and `answered` of the only POST."""
    ledger = world.ledger()
    (post,) = ledger["posts"]
    return len(ledger["commands"]), post["outcome"], post["answered"]


def send_raw(world: LocalSimulator, method: str, path: str, body: bytes = b"") -> socket.socket:
    """Send a request over a plain socket, to read the response byte by byte."""
    connection = socket.create_connection(("127.0.0.1", world.port), timeout=MAX_WAIT)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def read_all(connection: socket.socket) -> bytes:
    chunks = []
    with connection:
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_reset_sends_rst_before_or_after_the_command_is_created(world: LocalSimulator, when: str, created: int) -> None:
    device = world.devices()[0]
    world.fault("reset", call="create", when=when)
    connection = send_raw(world, "POST", f"{DEX}/commands", json.dumps({"commands": [item(device)]}).encode())
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(100)
    assert post_outcome(world) == (created, "created" if created else "not carried out", False)


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_hang_sends_nothing_until_the_client_gives_up(world: LocalSimulator, when: str, created: int) -> None:
    device = world.devices()[0]
    world.fault("hang", call="create", when=when)
    expected = (created, "created" if created else "not carried out", False)
    with send_raw(world, "POST", f"{DEX}/commands", json.dumps({"commands": [item(device)]}).encode()) as connection:
        eventually(lambda: (world.ledger()["posts"] and post_outcome(world) == expected) or None)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
    assert post_outcome(world) == expected


def test_latency_only_delays_the_response(world: LocalSimulator) -> None:
    device = world.devices()[0]
    world.fault("latency", call="create", seconds=0.25)
    begun = time.monotonic()
    assert world.create(item(device)).status == 200
    assert time.monotonic() - begun >= 0.25
    assert post_outcome(world) == (1, "created", True)


@pytest.mark.parametrize("then", ["hang", "reset", "error"])
def test_command_accepted_late_is_created_after_the_client_has_disconnected(world: LocalSimulator, then: str) -> None:
    device = world.devices()[0]
    world.fault("accepted_late", call="create", seconds=0.1, then=then)
    with world.late_commands_held():
        if then == "error":
            assert world.create(item(device)).status == 500
        else:
            with send_raw(world, "POST", f"{DEX}/commands", json.dumps({"commands": [item(device)]}).encode()):
                eventually(lambda: world.ledger()["posts"] or None)
        assert post_outcome(world) == (0, "not carried out", then == "error")
    assert post_outcome(world) == (1, "created", then == "error")
    assert len(world.rows()) == 1


def test_command_accepted_late_is_not_created_after_a_reset_of_the_simulator(world: LocalSimulator) -> None:
    device = world.devices()[0]
    world.fault("accepted_late", call="create", seconds=0.1, then="reset")
    with world.late_commands_held():
        with pytest.raises(ConnectionResetError):
            world.create(item(device))
        world.control("POST", "reset")
    assert world.rows() == []
    assert world.ledger()["commands"] == []


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_http_error_is_sent_before_or_after_the_command_is_created(
    world: LocalSimulator, status: int, when: str, created: int
) -> None:
    device = world.devices()[0]
    world.fault("error", call="create", when=when, status=status)
    reply = world.create(item(device))
    assert (reply.status, reply.json["success"]) == (status, False)
    assert post_outcome(world)[0] == created


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_success_false_is_sent_with_200_before_or_after_the_command_is_created(
    world: LocalSimulator, when: str, created: int
) -> None:
    device = world.devices()[0]
    world.fault("success_false", call="create", when=when, code=1234, message="Try later")
    reply = world.create(item(device))
    assert (reply.status, reply.json["success"], reply.code) == (200, False, 1234)
    assert reply.json["errors"][0]["message"] == "Try later"
    assert post_outcome(world)[0] == created


def test_throttle_sends_retry_after_and_creates_nothing(world: LocalSimulator) -> None:
    device = world.devices()[0]
    world.fault("throttle", call="create", seconds=7)
    reply = world.create(item(device))
    assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
    assert post_outcome(world)[0] == 0


def test_redirect_has_the_configured_status_and_location(world: LocalSimulator) -> None:
    world.fault("redirect", status=307, word="http://127.0.0.1:9/elsewhere")
    reply = world.listing()
    assert (reply.status, reply.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")


def test_truncated_json_has_a_matching_content_length(world: LocalSimulator) -> None:
    whole = world.listing().body
    world.fault("truncated_json", call="list", share=0.5)
    reply = world.listing()
    assert reply.body == whole[: len(whole) // 2]
    assert int(reply.headers["Content-Length"]) == len(reply.body)


@pytest.mark.parametrize("kind", ["invalid_json", "html_body"])
def test_body_is_not_json_although_the_command_was_created(world: LocalSimulator, kind: str) -> None:
    device = world.devices()[0]
    world.fault(kind, call="create")
    reply = world.create(item(device))
    assert reply.status == 200
    with pytest.raises(ValueError):
        json.loads(reply.body)
    assert reply.headers["Content-Type"].startswith("text/html" if kind == "html_body" else "application/json")
    assert post_outcome(world)[0] == 1


def test_date_header_follows_the_simulated_clock_and_can_be_wrong(world: LocalSimulator) -> None:
    assert parsedate_to_datetime(world.listing().headers["Date"]).timestamp() == START
    world.fault("date_off", seconds=-240)
    assert parsedate_to_datetime(world.listing().headers["Date"]).timestamp() == START - 240


def download_path(command_id: str) -> str:
    return f"{DEX}/commands/{command_id}/downloads/{command_id}.zip"


def test_gzip_encoded_download_ignores_ranges(world: LocalSimulator) -> None:
    path = download_path(world.create_finished())
    whole = world.call("GET", path).body
    world.fault("gzip", call="download")
    reply = world.call("GET", path, headers=BEARER | {"Range": "bytes=5-"})
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert "Accept-Ranges" not in reply.headers
    assert gzip.decompress(reply.body) == whole


def test_download_has_no_etag_or_a_weak_one(world: LocalSimulator) -> None:
    path = download_path(world.create_finished())
    strong = world.call("GET", path).headers["ETag"]
    world.fault("no_etag")
    assert "ETag" not in world.call("GET", path).headers
    world.fault("weak_etag")
    assert world.call("GET", path).headers["ETag"] == f"W/{strong}"
    resumed = world.call("GET", path, headers=BEARER | {"Range": "bytes=5-", "If-Range": f"W/{strong}"})
    assert resumed.status == 200


def test_download_that_was_cut_short_can_be_resumed(world: LocalSimulator) -> None:
    path = download_path(world.create_finished())
    whole = world.call("GET", path)
    world.fault("cut_short", call="download", nth=1, share=0.25)
    with pytest.raises(http.client.IncompleteRead) as cut:
        world.call("GET", path)
    first_part = cut.value.partial
    assert first_part == whole.body[: len(whole.body) // 4]
    rest = world.call(
        "GET", path, headers=BEARER | {"Range": f"bytes={len(first_part)}-", "If-Range": whole.headers["ETag"]}
    )
    assert first_part + rest.body == whole.body
    assert world.ledger()["commands"][0]["fetched"] == [[], ["cut_short"], []]


def test_dripping_download_is_slow_but_complete(world: LocalSimulator) -> None:
    path = download_path(world.create_finished("speed-test"))
    whole = world.call("GET", path).body
    world.fault("drip", call="download", size=len(whole) // 4 + 1, seconds=0.05)
    begun = time.monotonic()
    assert world.call("GET", path).body == whole
    assert time.monotonic() - begun >= 0.15


def test_content_length_is_too_large_or_too_small(world: LocalSimulator) -> None:
    path = download_path(world.create_finished("speed-test"))
    whole = world.call("GET", path).body
    world.fault("wrong_length", call="download", delta=50)
    with pytest.raises(http.client.IncompleteRead) as cut:
        world.call("GET", path)
    assert cut.value.partial == whole
    world.fault("wrong_length", call="download", delta=-50)
    reply = read_all(send_raw(world, "GET", path)).partition(b"\r\n\r\n")[2]
    assert reply == whole[:-50]
