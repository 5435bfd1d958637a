"""Files of finished commands: whole, in parts, expired."""

import io
import zipfile

import pytest

from tests.simulator.running import BEARER, DEX, Running, item


def path_of(command_id: str) -> str:
    return f"{DEX}/commands/{command_id}/downloads/{command_id}.zip"


def test_a_finished_capture_is_a_zip_that_opens_with_the_documented_headers(world: Running) -> None:
    command_id = world.finished()
    reply = world.call("GET", path_of(command_id))
    assert reply.status == 200
    assert zipfile.ZipFile(io.BytesIO(reply.body)).testzip() is None
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert reply.headers["ETag"].startswith('"')
    assert f"{command_id}.zip" in reply.headers["Content-Disposition"]


def test_a_download_is_the_same_again_even_after_it_left_the_cache(world: Running) -> None:
    world.control("PUT", "config", {"artifact_cache_bytes": 1})
    one, two = world.finished(), world.finished("speed-test")
    first = world.call("GET", path_of(one))
    assert world.call("GET", path_of(two)).body != first.body
    again = world.call("GET", path_of(one))
    assert (again.body, again.headers["ETag"]) == (first.body, first.headers["ETag"])


@pytest.mark.parametrize(
    ("wanted", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
def test_a_range_gives_just_that_part(world: Running, wanted: str, start: int, end: int | None) -> None:
    path = path_of(world.finished())
    whole = world.call("GET", path).body
    part = world.call("GET", path, headers=BEARER | {"Range": wanted})
    assert part.status == 206
    assert part.body == whole[start:end]
    first = start % len(whole)
    assert part.headers["Content-Range"] == f"bytes {first}-{first + len(part.body) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_is_not_satisfiable(world: Running) -> None:
    path = path_of(world.finished())
    size = len(world.call("GET", path).body)
    reply = world.call("GET", path, headers=BEARER | {"Range": f"bytes={size}-"})
    assert (reply.status, reply.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_if_range_resumes_only_what_is_unchanged(world: Running) -> None:
    path = path_of(world.finished())
    etag = world.call("GET", path).headers["ETag"]
    resumed = world.call("GET", path, headers=BEARER | {"Range": "bytes=10-", "If-Range": etag})
    changed = world.call("GET", path, headers=BEARER | {"Range": "bytes=10-", "If-Range": '"another"'})
    assert (resumed.status, changed.status) == (206, 200)


def test_there_is_no_file_before_the_end_nor_for_a_failure_nor_under_another_name(world: Running) -> None:
    windows = next(row for row in world.devices() if row["platform"] == "windows")
    running, failed = (row["id"] for row in world.create(item(windows), item(windows)).result["commands"])
    assert world.call("GET", path_of(running)).status == 404
    assert world.call("GET", path_of(failed)).status == 404
    world.clock.forward(3600)
    assert world.call("GET", path_of(running)).status == 200
    assert world.call("GET", f"{DEX}/commands/{running}/downloads/other.zip").status == 404
    assert world.call("GET", path_of("nobody")).status == 404


def test_a_file_is_gone_after_seven_days_and_still_listed(world: Running) -> None:
    command_id = world.finished()
    world.clock.forward(6.9 * 86400)
    assert world.call("GET", path_of(command_id)).status == 200
    world.clock.forward(0.2 * 86400)
    reply = world.call("GET", path_of(command_id))
    assert (reply.status, reply.json["success"]) == (404, False)
    assert world.rows()[0]["status"] == "SUCCESS"


def test_the_unpublished_address_gives_the_same_file(world: Running) -> None:
    command_id = world.finished()
    device_id = world.rows()[0]["device_id"]
    reply = world.call("GET", f"{DEX}/devices/{device_id}/commands/downloads/{command_id}.zip")
    assert reply.body == world.call("GET", path_of(command_id)).body
    assert world.call("GET", f"{DEX}/devices/other/commands/downloads/{command_id}.zip").status == 404


def test_only_a_successful_diag_has_an_analysis(world: Running) -> None:
    capture = world.finished()
    diag = world.finished("warp-diag")
    assert world.call("GET", f"{DEX}/commands/{diag}/analysis").result["command_id"] == diag
    assert world.call("GET", f"{DEX}/commands/{capture}/analysis").status == 404


def test_shared_artifacts_are_few_for_many_commands(world: Running) -> None:
    world.control("PUT", "config", {"shared_artifacts": 2})
    etags = {world.call("GET", path_of(world.finished("speed-test"))).headers["ETag"] for _ in range(12)}
    assert len(etags) == 2
