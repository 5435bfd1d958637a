"""Failed and interrupted downloads: final states, attempts that don't count, and a short history."""

import os
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, storages
from django.db import OperationalError

from commands.actions.administration.accounts import retire_account
from commands.actions.record import leases
from commands.actions.record.transitions import StatusWriter
from commands.actions.results.claim import claim_artifact
from commands.actions.results.failures import MAX_REASONS_IN_HISTORY
from commands.actions.results.spool import spool_path
from commands.models import Artifact, Command, Pause
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.world import World

pytestmark = pytest.mark.django_db

type Trouble = Callable[[World, Any], None]


class SmallDisk(FileSystemStorage):
    """Storage that writes 1000 bytes of a file at most and keeps them when it fails, like a full disk."""

    def _save(self, name: str, content: Any) -> str:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            return str(super()._save(name, content))  # type: ignore[misc]  # the stubs do not know of it
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


class FarStorage(FileSystemStorage):
    """Storage that fails with an error of its own, as a bucket does, and not with an OSError."""

    def _save(self, name: str, content: Any) -> str:
        raise RuntimeError("RequestTimeout (id 5f3c)")


def _stored_as(kind: type[FileSystemStorage], settings: Any) -> None:
    entry = settings.STORAGES["artifacts"]
    path = f"{kind.__module__}.{kind.__name__}"
    settings.STORAGES = {**settings.STORAGES, "artifacts": {**entry, "BACKEND": path}}


def _error(status: int) -> Trouble:
    return lambda world, settings: world.fault("error", call="download", status=status)


def _reset(world: World, settings: Any) -> None:
    world.fault("reset", call="download")


def _full_disk(world: World, settings: Any) -> None:
    _stored_as(SmallDisk, settings)


def _no_bucket(world: World, settings: Any) -> None:
    _stored_as(FarStorage, settings)


OUTAGES = [
    pytest.param(_error(503), id="down"),
    pytest.param(_error(401), id="refused"),
    pytest.param(_reset, id="broken connections"),
    pytest.param(_full_disk, id="full disk"),
    pytest.param(_no_bucket, id="no bucket"),
]


def _files(settings: Any) -> list[Path]:
    root = Path(settings.STORAGES["artifacts"]["OPTIONS"]["location"])
    return [path for path in root.rglob("*") if path.is_file()]


def _artifact_states(world: World, command: Command) -> list[str]:
    return [event.data["artifact_status"] for event in world.history(command) if event.event == "artifact"]


def _pause(world: World, settings: Any) -> None:
    values = {"since": world.now, "until": world.now + settings.PAUSE_MAX, "reason_code": "server_error"}
    Pause.objects.update_or_create(account=world.account, operation="download", defaults=values)


# --- Ends ---


@pytest.mark.parametrize("trouble", OUTAGES)
def test_outage_costs_no_attempt_until_cloudflare_has_deleted_the_file(
    world: World, done: Command, settings: Any, trouble: Trouble
) -> None:
    trouble(world, settings)
    assert world.collect()
    deleted = world.artifact(done).deleted_remotely_at
    world.forward((deleted - world.now).total_seconds() + timedelta(hours=23).total_seconds())
    for _ in range(4):
        assert world.collect()
        world.forward(minutes=6)
    artifact = world.artifact(done)
    assert (artifact.status, artifact.attempts) == ("wanted", 0)
    world.forward(hours=1)
    assert world.collect()
    artifact = world.artifact(done)
    assert (artifact.status, artifact.lease_token) == ("refused", None)
    assert artifact.reason_code == ArtifactReason.DELETED_BEFORE_FETCHED
    assert not spool_path(artifact).exists()
    assert _files(settings) == []
    assert not world.collect()


def test_portal_that_was_down_tries_once_before_it_gives_a_file_up(world: World, done: Command) -> None:
    world.forward(days=20)
    world.settle()
    assert world.artifact(done).status == "wanted"
    assert world.collect()
    assert world.artifact(done).status == "gone"


@pytest.mark.parametrize("begun", [False, True], ids=["wanted", "its worker died"])
@pytest.mark.parametrize("reason", ["retired", "paused"])
def test_file_of_an_unreachable_account_ends_after_retention(
    world: World, done: Command, settings: Any, reason: str, begun: bool
) -> None:
    if begun:
        assert claim_artifact(world.now)
    if reason == "retired":
        retire_account(world.account, now=world.now)
    deleted = world.artifact(done).deleted_remotely_at
    world.forward((deleted - world.now).total_seconds() + timedelta(hours=23).total_seconds())
    if reason == "paused":
        _pause(world, settings)
    world.settle()
    assert not world.collect()
    assert world.artifact(done).status == ("fetching" if begun else "wanted")
    world.forward(hours=2)
    if reason == "paused":
        _pause(world, settings)
    world.settle()
    artifact = world.artifact(done)
    assert (artifact.status, artifact.lease_token) == ("refused", None)
    assert artifact.reason_code == ArtifactReason.DELETED_BEFORE_FETCHED
    assert _artifact_states(world, done)[-1] == "refused"


def test_running_download_is_not_ended_by_time(world: World, done: Command) -> None:
    world.forward(days=9)
    assert claim_artifact(world.now)
    retire_account(world.account, now=world.now)
    world.settle()
    assert world.artifact(done).status == "fetching"


@pytest.mark.parametrize("reason", ["worn out", "out of reach"])
def test_settle_leaves_a_file_whose_late_worker_renews_its_lease(
    world: World, done: Command, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renew the worker's lease after settle has read it as expired, and before settle moves the artifact."""
    artifact = claim_artifact(world.now)
    assert artifact is not None
    if reason == "worn out":
        Artifact.objects.update(attempts=3)
    else:
        world.forward(days=9)
        retire_account(world.account, now=world.now)
    world.forward(minutes=3)
    real = StatusWriter.move_artifact

    def renewed_before(changes: StatusWriter, one: Artifact, **rest: Any) -> bool:
        assert leases.renew(artifact, lasting=timedelta(minutes=15))
        return real(changes, one, **rest)

    with monkeypatch.context() as patched:
        patched.setattr(StatusWriter, "move_artifact", renewed_before)
        world.settle()
    assert world.artifact(done).status == "fetching"
    world.forward(minutes=16)
    world.settle()
    assert world.artifact(done).status == "refused"


# --- The history ---


def test_history_has_each_reason_of_a_long_outage_once(world: World, done: Command) -> None:
    outage, reset = {"kind": "error", "status": 503}, {"kind": "reset"}
    for effect in (outage, reset, outage, reset, outage, outage):
        world.faults({"match": {"call": "download"}, "effect": effect})
        assert world.collect()
        world.forward(minutes=21)
    assert world.artifact(done).reason_code == ArtifactReason.SERVER_ERROR
    world.heal()
    assert world.collect()
    assert _artifact_states(world, done) == ["fetching", "wanted", "wanted", "stored"]
    reasons = [event.data.get("reason_code") for event in world.history(done) if event.event == "artifact"]
    assert reasons == [None, ArtifactReason.SERVER_ERROR, ArtifactReason.CONNECTION_BROKEN, None]


def test_history_has_a_limited_number_of_reasons(world: World, done: Command) -> None:
    for number in range(MAX_REASONS_IN_HISTORY + 3):
        error = {"kind": "error", "status": 503, "message": f"ray {number}"}
        world.faults({"match": {"call": "download"}, "effect": error})
        assert world.collect()
        world.forward(minutes=21)
    assert f"ray {MAX_REASONS_IN_HISTORY + 2}" in world.artifact(done).remote_message
    assert _artifact_states(world, done) == ["fetching", *["wanted"] * MAX_REASONS_IN_HISTORY]


def test_lists_are_refreshed_by_a_step_without_an_event(world: World, done: Command) -> None:
    world.fault("error", call="download", status=503)
    assert world.collect()
    before = _version(world)
    world.forward(minutes=21)
    assert world.collect()
    assert _version(world) > before


def _version(world: World) -> int:
    world.account.version.refresh_from_db()
    return world.account.version.number


# --- A worker that is told to stop ---


def test_stopped_worker_hands_its_file_back_without_a_lost_attempt(world: World, done: Command) -> None:
    world.fault("drip", call="download", seconds=0.001, size=64)
    spooled = [0]
    for _deploy in range(4):
        pieces = iter([True, True])
        assert world.collect(is_wanted=lambda left=pieces: next(left, False))  # type: ignore[misc]  # see supervisor.py
        artifact = world.artifact(done)
        assert (artifact.status, artifact.attempts, artifact.lease_token) == ("wanted", 0, None)
        spooled.append(spool_path(artifact).stat().st_size)
    assert spooled == sorted(set(spooled)), "each goes on where the one before it stood"
    world.heal()
    assert world.collect()
    assert world.artifact(done).status == "stored"
    assert _artifact_states(world, done) == ["fetching", "stored"]


# --- The storage ---


def test_partly_stored_file_is_removed_from_the_storage(world: World, done: Command, settings: Any) -> None:
    _stored_as(SmallDisk, settings)
    assert world.collect()
    assert world.artifact(done).status == "wanted"
    assert world.artifact(done).reason_code == ArtifactReason.STORAGE_FAILED
    assert world.artifact(done).remote_message == "File too large"
    assert _files(settings) == []


def test_file_is_synced_to_disk_before_it_is_recorded_as_stored(
    world: World, done: Command, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, {}

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced[os.fstat(descriptor).st_ino] = world.artifact(done).status

    monkeypatch.setattr(os, "fsync", fsync)
    assert world.collect()
    assert world.artifact(done).status == "stored"
    (stored,) = _files(settings)
    assert synced[stored.stat().st_ino] == synced[stored.parent.stat().st_ino] == "fetching"


def test_database_outage_during_a_download_costs_no_attempt(
    world: World, done: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_lease: leases.KeptAlive) -> bool:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(leases.KeptAlive, "is_held", away)
        assert world.collect()
    assert (world.artifact(done).status, world.artifact(done).attempts) == ("wanted", 0)
    assert world.collect()
    assert world.artifact(done).status == "stored"


@pytest.mark.parametrize("kind", [SmallDisk, FarStorage])
def test_complete_spool_is_stored_later_without_another_download(
    world: World, done: Command, settings: Any, kind: type[FileSystemStorage]
) -> None:
    _stored_as(kind, settings)
    for _ in range(4):
        assert world.collect()
        world.forward(minutes=21)
    assert world.artifact(done).attempts == 0
    assert "5f3c" not in world.artifact(done).remote_message, "what changes every time is for the log"
    world.fault("error", call="download", status=500)
    _stored_as(FileSystemStorage, settings)
    assert world.collect()
    artifact = world.artifact(done)
    assert artifact.status == "stored"
    assert storages["artifacts"].exists(artifact.storage_name)


# --- Where a spool may be continued ---


def test_spool_is_discarded_when_the_announced_length_changed(world: World, done: Command) -> None:
    """Keep the ETag and change the length: the spool is then a part of a different file."""
    world.fault("cut_short", call="download", share=0.5)
    assert world.collect()
    world.heal()
    artifact = world.artifact(done)
    assert artifact.etag
    assert artifact.announced_size
    path = spool_path(artifact)
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    Artifact.objects.update(announced_size=artifact.announced_size + 1)
    world.forward(minutes=21)
    assert world.collect()
    assert world.artifact(done).status == "stored"
