"""Fetching of a file: complete, once, or with a reason why it failed."""

import hashlib
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages

from commands.actions.results import fetch as module
from commands.actions.results.claim import claim_artifact
from commands.actions.results.spool import spool_path
from commands.models import Account, Artifact, Command
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.racing import race
from tests.actions.world import DIAG, QUICK_END, World
from tests.simulator.in_process import DEX

pytestmark = pytest.mark.django_db


def _direct(world: World, command: Command) -> bytes:
    """Download the file directly from the simulator."""
    id_ = world.reload(command).remote_id
    return world.upstream.call("GET", f"{DEX}/commands/{id_}/downloads/{id_}.zip").body


def _stored_files(settings: Any) -> list[Path]:
    root = Path(settings.STORAGES["artifacts"]["OPTIONS"]["location"])
    return [path for path in root.rglob("*") if path.is_file()]


def _is_here(world: World, command: Command) -> bool:
    """Check that the file is stored and has exactly Cloudflare's bytes."""
    artifact = world.artifact(command)
    if artifact.status != "stored":
        return False
    with storages["artifacts"].open(artifact.storage_name) as file:
        content = file.read()
    assert content == _direct(world, command)
    assert (artifact.size, artifact.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert artifact.stored_at is not None
    assert (artifact.lease_token, artifact.attempts, artifact.reason_code) == (None, 0, "")
    assert not spool_path(artifact).exists()
    return True


def test_file_is_fetched_verified_and_stored_unchanged(world: World, done: Command) -> None:
    assert world.collect()
    assert _is_here(world, done)
    assert not world.collect()
    events = [event for event in world.history(done) if event.event == "artifact"]
    assert [event.data["artifact_status"] for event in events] == ["fetching", "stored"]
    assert events[-1].data["sha256"] == world.artifact(done).sha256


def test_file_that_expires_first_is_fetched_first(world: World, done: Command) -> None:
    other = world.sent(options=DIAG, devices=[world.device("linux")])
    world.forward(QUICK_END)
    assert world.sync()
    Artifact.objects.filter(command=other).update(deleted_remotely_at=world.now + timedelta(hours=1))
    assert world.collect()
    assert (world.artifact(other).status, world.artifact(done).status) == ("stored", "wanted")


def test_broken_download_continues_where_it_stopped(world: World, done: Command) -> None:
    world.fault("cut_short", call="download", share=0.4)
    assert world.collect()
    artifact = world.artifact(done)
    assert (artifact.status, artifact.attempts) == ("wanted", 0), "it brought a part of the file"
    whole = len(_direct_healed(world, done))
    got = spool_path(artifact).stat().st_size
    assert 0 < got < whole
    assert not world.collect(), "not before its pause is over"
    world.forward(minutes=1)
    assert world.collect()
    assert _is_here(world, done)


def _direct_healed(world: World, command: Command) -> bytes:
    world.heal()
    return _direct(world, command)


def test_spool_with_wrong_content_is_discarded_and_fetched_again(world: World, done: Command) -> None:
    world.fault("cut_short", call="download", share=0.5)
    assert world.collect()
    world.heal()
    path = spool_path(world.artifact(done))
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    world.forward(minutes=21)
    assert world.collect()
    assert world.artifact(done).status == "wanted"
    assert world.artifact(done).reason_code == ArtifactReason.ZIP_UNREADABLE
    assert not path.exists()
    world.forward(minutes=21)
    assert world.collect()
    assert _is_here(world, done)


def test_damage_inside_a_zip_member_is_detected(world: World, done: Command) -> None:
    """Damage a member of a zip. Its directory is at the end of the file and stays readable."""
    world.fault("cut_short", call="download", share=0.5)
    assert world.collect()
    world.heal()
    path = spool_path(world.artifact(done))
    content = bytearray(path.read_bytes())
    for index in range(200, len(content), 7):
        content[index] ^= 0x5A
    path.write_bytes(content)
    world.forward(minutes=21)
    assert world.collect()
    assert world.artifact(done).status == "wanted"
    world.forward(minutes=21)
    assert world.collect()
    assert _is_here(world, done)


def test_download_without_an_etag_starts_again(world: World, done: Command) -> None:
    world.faults(
        {"match": {"call": "download"}, "effect": {"kind": "no_etag"}},
        {"match": {"call": "download"}, "effect": {"kind": "cut_short", "share": 0.5}},
    )
    assert world.collect()
    assert world.artifact(done).etag == ""
    world.heal()
    world.forward(minutes=1)
    assert world.collect()
    assert _is_here(world, done)


def test_unrequested_content_encoding_is_decoded(world: World, done: Command) -> None:
    world.fault("gzip", call="download")
    assert world.collect()
    world.heal()
    assert _is_here(world, done)


def test_file_that_cloudflare_deleted_is_gone(world: World, done: Command, settings: Any) -> None:
    world.forward(days=8)
    assert world.collect()
    artifact = world.artifact(done)
    assert (artifact.status, artifact.lease_token) == ("gone", None)
    assert artifact.reason_code
    assert not world.collect()
    assert _stored_files(settings) == []


def _not_there(world: World) -> None:
    """Answer 404 at the documented address and at the undocumented one."""
    effect = {"kind": "error", "status": 404}
    world.faults(*({"match": {"call": call}, "effect": effect} for call in ("download", "fallback_download")))


def test_file_that_is_not_there_yet_is_requested_again(world: World, done: Command) -> None:
    _not_there(world)
    assert world.collect()
    assert world.artifact(done).status == "wanted"
    world.heal()
    world.forward(minutes=21)
    assert world.collect()
    assert _is_here(world, done)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_cloudflare_outage_costs_no_attempt(world: World, done: Command, status: int) -> None:
    world.fault("error", call="download", status=status)
    for _ in range(4):
        assert world.collect()
        world.forward(minutes=21)
    assert (world.artifact(done).status, world.artifact(done).attempts) == ("wanted", 0)
    world.heal()
    assert world.collect()
    assert _is_here(world, done)


def test_file_over_the_size_limit_is_not_stored(world: World, done: Command, settings: Any) -> None:
    settings.ARTIFACT_MAX_BYTES = 500
    assert world.collect()
    assert world.artifact(done).status == "too_large"
    assert not spool_path(world.artifact(done)).exists()
    assert _stored_files(settings) == []


def test_invalid_zip_is_tried_three_times_and_then_refused(world: World, done: Command, settings: Any) -> None:
    world.fault("html_body", call="download")
    for attempt in (1, 2, 3):
        assert world.collect()
        assert world.artifact(done).status == ("wanted" if attempt < 3 else "refused")
        world.forward(minutes=21)
    assert not world.collect()
    assert world.artifact(done).reason_code
    assert _stored_files(settings) == []
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


@pytest.mark.parametrize("status", [401, 403])
def test_refused_account_costs_no_attempt(world: World, done: Command, status: int) -> None:
    world.fault("error", call="download", status=status)
    for _ in range(5):
        assert world.collect()
        assert not world.collect(), "the account's downloads rest"
        world.forward(minutes=21)
    assert (world.artifact(done).status, world.artifact(done).attempts) == ("wanted", 0)
    assert world.pauses()["download"].refused
    world.heal()
    assert world.collect()
    assert _is_here(world, done)
    assert "download" not in world.pauses()


def test_rate_limited_credential_fetches_nothing_until_its_pause_ends(world: World, done: Command) -> None:
    world.fault("throttle", call="download", nth=1, seconds=120)
    assert world.collect()
    assert world.artifact(done).status == "wanted"
    world.forward(seconds=100)
    assert not world.collect()
    world.forward(seconds=30)
    assert world.collect()
    assert _is_here(world, done)


def test_unwritable_disk_costs_no_attempt(world: World, done: Command, settings: Any) -> None:
    """Put a file where the folder should be, so that not even root can write there."""
    root = Path(settings.STORAGES["artifacts"]["OPTIONS"]["location"])
    root.write_text("in the way")
    for _ in range(4):
        assert world.collect()
        world.forward(minutes=21)
    assert (world.artifact(done).status, world.artifact(done).attempts) == ("wanted", 0)
    assert world.artifact(done).reason_code
    root.unlink()
    assert world.collect()
    assert _is_here(world, done)


def test_worker_that_lost_its_lease_leaves_stored_files_alone(
    world: World, done: Command, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finish a worker after another one has fetched the file. It must not replace or delete that file."""
    real = module.fetch_file
    late: list[Artifact] = []

    def fetch_slowly(artifact: Artifact, *rest: Any) -> Any:
        whole = real(artifact, *rest)
        if not late:
            late.append(artifact)
            world.forward(minutes=16)
            assert world.collect()
            assert _is_here(world, done)
            written.extend(map(changed_at, _stored_files(settings)))
        return whole

    written: list[float] = []

    def changed_at(path: Path) -> float:
        return path.stat().st_mtime_ns

    monkeypatch.setattr(module, "fetch_file", fetch_slowly)
    assert world.collect()
    assert late
    assert list(map(changed_at, _stored_files(settings))) == written
    assert _is_here(world, done)
    assert [event.data.get("artifact_status") for event in world.history(done)][-1] == "stored"


def test_another_worker_continues_after_the_lease_of_a_dead_worker(world: World, done: Command) -> None:
    artifact = claim_artifact(world.now)
    assert artifact is not None
    module.fetch_file(artifact, lambda: True)
    assert not world.collect()
    world.forward(minutes=16)
    assert world.collect()
    assert _is_here(world, done)


def test_download_that_killed_three_workers_is_not_started_again(world: World, done: Command) -> None:
    for _ in range(3):
        assert claim_artifact(world.now) is not None
        world.forward(minutes=16)
    assert not world.collect()
    world.settle()
    assert world.artifact(done).status == "refused"


def test_only_accounts_of_the_current_upstream_are_fetched_from(world: World, done: Command) -> None:
    Account.objects.update(upstream="https://api.example.com")
    assert not world.collect()
    assert world.artifact(done).status == "wanted"


@pytest.mark.django_db(transaction=True)
def test_concurrent_workers_fetch_each_file_once(world: World) -> None:
    commands = world.request(DIAG, devices=world.devices[:4])
    assert world.deliver()
    world.forward(QUICK_END)
    assert world.sync()
    race(lambda: [None for _ in iter(world.collect, False)], threads=3)
    while world.collect():
        pass
    assert all(_is_here(world, command) for command in commands)
    for command in commands:
        assert [event.event for event in world.history(command)].count("artifact") == 2


def test_zip_bomb_is_refused_and_ends_no_worker(world: World, done: Command) -> None:
    """Build a zip of which each kilobyte unpacks to more data than fits in memory."""
    path = spool_path(world.artifact(done))
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("zeros", bytes(5_000_000))
    Artifact.objects.update(etag='"x"', announced_size=path.stat().st_size)
    assert world.collect()
    artifact = world.artifact(done)
    assert (artifact.status, artifact.reason_code) == ("wanted", ArtifactReason.ZIP_COMPRESSION)
    assert not path.exists()


def test_download_stops_at_the_next_piece_after_a_takeover(world: World, done: Command, settings: Any) -> None:
    settings.ARTIFACT_LEASE = timedelta(0)  # over when the first piece comes
    others: list[Artifact | None] = []

    def taken_over() -> bool:
        settings.ARTIFACT_LEASE = timedelta(minutes=2)
        others.append(claim_artifact(world.now) if not others else None)
        return True

    assert module.collect(now=lambda: world.now, is_wanted=taken_over)
    assert others[0] is not None
    held = world.artifact(done)
    assert (held.status, held.lease_token) == ("fetching", others[0].lease_token)
    assert _stored_files(settings) == []
