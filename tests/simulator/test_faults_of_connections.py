"""Faults that a client sees as a broken, silent or strange connection, and what the world did meanwhile."""

import gzip
import http.client
import json
import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.simulator.running import BEARER, DEX, START, Running, item, wait_until


def outcome(world: Running) -> tuple[int, str, bool]:
    """(commands created, outcome of the one POST, whether it was answered)."""
    ledger = world.ledger()
    (post,) = ledger["posts"]
    return len(ledger["commands"]), post["outcome"], post["answered"]


def raw(world: Running, method: str, path: str, body: bytes = b"") -> socket.socket:
    """A request sent over a socket of our own, to see what comes back byte by byte."""
    connection = socket.create_connection(("127.0.0.1", world.port), timeout=5)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def received(connection: socket.socket) -> bytes:
    chunks = []
    with connection:
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_a_reset_is_a_real_rst_before_or_after_creating(world: Running, when: str, created: int) -> None:
    device = world.devices()[0]
    world.fault("reset", call="create", when=when)
    connection = raw(world, "POST", f"{DEX}/commands", json.dumps({"commands": [item(device)]}).encode())
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(100)
    assert outcome(world) == (created, "created" if created else "not carried out", False)


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_a_hang_answers_nothing_until_the_client_gives_up(world: Running, when: str, created: int) -> None:
    device = world.devices()[0]
    world.fault("hang", call="create", when=when)
    with pytest.raises(TimeoutError):
        world.call("POST", f"{DEX}/commands", {"commands": [item(device)]}, timeout=0.3)
    assert outcome(world) == (created, "created" if created else "not carried out", False)


def test_latency_only_delays(world: Running) -> None:
    device = world.devices()[0]
    world.fault("latency", call="create", seconds=0.25)
    begun = time.monotonic()
    assert world.create(item(device)).status == 200
    assert time.monotonic() - begun >= 0.25
    assert outcome(world) == (1, "created", True)


@pytest.mark.parametrize("then", ["hang", "reset", "error"])
def test_an_accepted_late_command_lands_after_the_client_has_gone(world: Running, then: str) -> None:
    device = world.devices()[0]
    world.fault("accepted_late", call="create", seconds=0.4, then=then)
    if then == "error":
        assert world.create(item(device)).status == 500
    else:
        with pytest.raises((TimeoutError, ConnectionResetError)):
            world.call("POST", f"{DEX}/commands", {"commands": [item(device)]}, timeout=0.1)
    assert outcome(world) == (0, "not carried out", then == "error")
    wait_until(lambda: outcome(world)[0] == 1)
    assert outcome(world) == (1, "created", then == "error")
    assert len(world.rows()) == 1


def test_a_late_command_does_not_land_in_a_world_that_was_reset(world: Running) -> None:
    device = world.devices()[0]
    world.fault("accepted_late", call="create", seconds=0.1, then="reset")
    with pytest.raises(ConnectionResetError):
        world.create(item(device))
    world.control("POST", "reset")
    world.fault("latency", call="list", seconds=0.3)
    assert world.rows() == []
    assert world.ledger()["commands"] == []


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_an_http_error_comes_before_or_after_creating(world: Running, status: int, when: str, created: int) -> None:
    device = world.devices()[0]
    world.fault("error", call="create", when=when, status=status)
    reply = world.create(item(device))
    assert (reply.status, reply.json["success"]) == (status, False)
    assert outcome(world)[0] == created


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_success_false_comes_with_200_before_or_after_creating(world: Running, when: str, created: int) -> None:
    device = world.devices()[0]
    world.fault("success_false", call="create", when=when, code=1234, message="Try later")
    reply = world.create(item(device))
    assert (reply.status, reply.json["success"], reply.code) == (200, False, 1234)
    assert reply.json["errors"][0]["message"] == "Try later"
    assert outcome(world)[0] == created


def test_a_throttle_names_its_seconds_and_creates_nothing(world: Running) -> None:
    device = world.devices()[0]
    world.fault("throttle", call="create", seconds=7)
    reply = world.create(item(device))
    assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
    assert outcome(world)[0] == 0


def test_a_redirect_points_elsewhere(world: Running) -> None:
    world.fault("redirect", status=307, word="http://127.0.0.1:9/elsewhere")
    reply = world.listing()
    assert (reply.status, reply.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")


def test_a_truncated_body_keeps_its_word_about_length_but_is_no_json(world: Running) -> None:
    whole = world.listing().body
    world.fault("truncated_json", call="list", share=0.5)
    reply = world.listing()
    assert reply.body == whole[: len(whole) // 2]
    assert int(reply.headers["Content-Length"]) == len(reply.body)


@pytest.mark.parametrize("kind", ["invalid_json", "html_body"])
def test_a_body_may_be_no_json_at_all_although_it_was_created(world: Running, kind: str) -> None:
    device = world.devices()[0]
    world.fault(kind, call="create")
    reply = world.create(item(device))
    assert reply.status == 200
    with pytest.raises(ValueError):
        json.loads(reply.body)
    assert reply.headers["Content-Type"].startswith("text/html" if kind == "html_body" else "application/json")
    assert outcome(world)[0] == 1


def test_the_date_header_is_the_worlds_and_may_be_off_by_minutes(world: Running) -> None:
    assert parsedate_to_datetime(world.listing().headers["Date"]).timestamp() == START
    world.fault("date_off", seconds=-240)
    assert parsedate_to_datetime(world.listing().headers["Date"]).timestamp() == START - 240


def path_of(command_id: str) -> str:
    return f"{DEX}/commands/{command_id}/downloads/{command_id}.zip"


def test_a_download_may_come_gzip_encoded_and_without_ranges(world: Running) -> None:
    path = path_of(world.finished())
    whole = world.call("GET", path).body
    world.fault("gzip", call="download")
    reply = world.call("GET", path, headers=BEARER | {"Range": "bytes=5-"})
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert "Accept-Ranges" not in reply.headers
    assert gzip.decompress(reply.body) == whole


def test_a_download_may_have_no_etag_or_a_weak_one(world: Running) -> None:
    path = path_of(world.finished())
    strong = world.call("GET", path).headers["ETag"]
    world.fault("no_etag")
    assert "ETag" not in world.call("GET", path).headers
    world.fault("weak_etag")
    assert world.call("GET", path).headers["ETag"] == f"W/{strong}"
    resumed = world.call("GET", path, headers=BEARER | {"Range": "bytes=5-", "If-Range": f"W/{strong}"})
    assert resumed.status == 200


def test_a_download_is_cut_short_and_the_rest_can_be_fetched(world: Running) -> None:
    path = path_of(world.finished())
    whole = world.call("GET", path)
    world.fault("cut_short", call="download", nth=1, share=0.25)
    with pytest.raises(http.client.IncompleteRead) as cut:
        world.call("GET", path)
    begun = cut.value.partial
    assert begun == whole.body[: len(whole.body) // 4]
    rest = world.call(
        "GET", path, headers=BEARER | {"Range": f"bytes={len(begun)}-", "If-Range": whole.headers["ETag"]}
    )
    assert begun + rest.body == whole.body
    assert world.ledger()["commands"][0]["fetched"] == [[], ["cut_short"], []]


def test_a_drip_takes_its_time_and_is_whole(world: Running) -> None:
    path = path_of(world.finished("speed-test"))
    whole = world.call("GET", path).body
    world.fault("drip", call="download", size=len(whole) // 4 + 1, seconds=0.05)
    begun = time.monotonic()
    assert world.call("GET", path).body == whole
    assert time.monotonic() - begun >= 0.15


def test_a_content_length_may_lie_both_ways(world: Running) -> None:
    path = path_of(world.finished("speed-test"))
    whole = world.call("GET", path).body
    world.fault("wrong_length", call="download", delta=50)
    with pytest.raises(http.client.IncompleteRead) as cut:
        world.call("GET", path)
    assert cut.value.partial == whole
    world.fault("wrong_length", call="download", delta=-50)
    reply = received(raw(world, "GET", path)).partition(b"\r\n\r\n")[2]
    assert reply == whole[:-50]
