"""Downloads of finished commands: whole files, ranges, expiry. Analysis of a diag."""

import io
import zipfile

import pytest

from tests.simulator.in_process import BEARER, DEX, LocalSimulator, item


def download_path(command_id: str) -> str:
    return f"{DEX}/commands/{command_id}/downloads/{command_id}.zip"


def test_finished_capture_is_a_valid_zip_with_the_documented_headers(world: LocalSimulator) -> None:
    command_id = world.create_finished()
    reply = world.call("GET", download_path(command_id))
    assert reply.status == 200
    assert zipfile.ZipFile(io.BytesIO(reply.body)).testzip() is None
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert reply.headers["ETag"].startswith('"')
    assert f"{command_id}.zip" in reply.headers["Content-Disposition"]


def test_download_has_the_same_bytes_after_it_was_evicted_from_the_cache(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"artifact_cache_bytes": 1})
    capture, speed_test = world.create_finished(), world.create_finished("speed-test")
    first = world.call("GET", download_path(capture))
    assert world.call("GET", download_path(speed_test)).body != first.body
    again = world.call("GET", download_path(capture))
    assert (again.body, again.headers["ETag"]) == (first.body, first.headers["ETag"])


@pytest.mark.parametrize(
    ("byte_range", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
def test_range_returns_only_that_part(world: LocalSimulator, byte_range: str, start: int, end: int | None) -> None:
    path = download_path(world.create_finished())
    whole = world.call("GET", path).body
    part = world.call("GET", path, headers=BEARER | {"Range": byte_range})
    assert part.status == 206
    assert part.body == whole[start:end]
    first = start % len(whole)
    assert part.headers["Content-Range"] == f"bytes {first}-{first + len(part.body) - 1}/{len(whole)}"


def test_range_beyond_the_end_is_not_satisfiable(world: LocalSimulator) -> None:
    path = download_path(world.create_finished())
    size = len(world.call("GET", path).body)
    reply = world.call("GET", path, headers=BEARER | {"Range": f"bytes={size}-"})
    assert (reply.status, reply.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_if_range_returns_the_whole_file_if_the_etag_differs(world: LocalSimulator) -> None:
    path = download_path(world.create_finished())
    etag = world.call("GET", path).headers["ETag"]
    resumed = world.call("GET", path, headers=BEARER | {"Range": "bytes=10-", "If-Range": etag})
    changed = world.call("GET", path, headers=BEARER | {"Range": "bytes=10-", "If-Range": '"another"'})
    assert (resumed.status, changed.status) == (206, 200)


def test_unfinished_failed_and_unknown_commands_have_no_file(world: LocalSimulator) -> None:
    windows = next(row for row in world.devices() if row["platform"] == "windows")
    running, failed = (row["id"] for row in world.create(item(windows), item(windows)).result["commands"])
    assert world.call("GET", download_path(running)).status == 404
    assert world.call("GET", download_path(failed)).status == 404
    world.clock.advance(3600)
    assert world.call("GET", download_path(running)).status == 200
    assert world.call("GET", f"{DEX}/commands/{running}/downloads/other.zip").status == 404
    assert world.call("GET", download_path("nobody")).status == 404


def test_file_expires_after_seven_days_but_the_command_stays_listed(world: LocalSimulator) -> None:
    command_id = world.create_finished()
    world.clock.advance(6.9 * 86400)
    assert world.call("GET", download_path(command_id)).status == 200
    world.clock.advance(0.2 * 86400)
    reply = world.call("GET", download_path(command_id))
    assert (reply.status, reply.json["success"]) == (404, False)
    assert world.rows()[0]["status"] == "SUCCESS"


def test_unpublished_address_returns_the_same_file(world: LocalSimulator) -> None:
    command_id = world.create_finished()
    device_id = world.rows()[0]["device_id"]
    reply = world.call("GET", f"{DEX}/devices/{device_id}/commands/downloads/{command_id}.zip")
    assert reply.body == world.call("GET", download_path(command_id)).body
    assert world.call("GET", f"{DEX}/devices/other/commands/downloads/{command_id}.zip").status == 404


def test_only_a_diag_has_an_analysis(world: LocalSimulator) -> None:
    capture = world.create_finished()
    diag = world.create_finished("warp-diag")
    assert world.call("GET", f"{DEX}/commands/{diag}/analysis").result["command_id"] == diag
    assert world.call("GET", f"{DEX}/commands/{capture}/analysis").status == 404


def test_shared_artifacts_limit_the_number_of_distinct_zips(world: LocalSimulator) -> None:
    world.control("PUT", "config", {"shared_artifacts": 2})
    etags = {world.call("GET", download_path(world.create_finished("speed-test"))).headers["ETag"] for _ in range(12)}
    assert len(etags) == 2
