"""Files that lie complete in the storage: recorded as they are, without another download."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, storages

from commands.actions.results import fetch as module
from commands.actions.results.claim import claim_artifact
from commands.actions.results.spool import spool_path
from commands.actions.results.store import store
from commands.models import Artifact, Command
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.world import World, refusal

pytestmark = pytest.mark.django_db


class Bucket(FileSystemStorage):
    """Storage like S3: it has no local path, and an opened file is a copy."""

    def path(self, name: str) -> str:
        raise NotImplementedError

    def _inside(self, name: str) -> Path:
        return Path(super().path(name))

    def exists(self, name: str) -> bool:
        return self._inside(name).exists()

    def get_modified_time(self, name: str) -> Any:
        return FileSystemStorage(self.location).get_modified_time(name)

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        return File(io.BytesIO(self._inside(name).read_bytes()), name)


class Unreachable(FileSystemStorage):
    def exists(self, name: str) -> bool:
        raise RuntimeError("EndpointConnectionError")


def _stored_as(kind: type[FileSystemStorage], settings: Any) -> None:
    entry = settings.STORAGES["artifacts"]
    settings.STORAGES = {**settings.STORAGES, "artifacts": {**entry, "BACKEND": f"{kind.__module__}.{kind.__name__}"}}


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("warp-status.txt", "Ok(Connected)")
    return packed.getvalue()


def _put(artifact: Artifact, content: bytes) -> None:
    storages["artifacts"].save(artifact.storage_name, ContentFile(content))


def _lies(artifact: Artifact) -> bytes:
    with storages["artifacts"].open(artifact.storage_name) as file:
        return bytes(file.read())


def _is_adopted(world: World, command: Command, content: bytes) -> bool:
    """Check that the file is recorded like any other and that its bytes are unchanged."""
    artifact = world.artifact(command)
    assert (artifact.size, artifact.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert artifact.stored_at is not None
    assert (artifact.lease_token, artifact.attempts, artifact.reason_code) == (None, 0, "")
    events = [event for event in world.history(command) if event.event == "artifact"]
    assert (events[-1].data["artifact_status"], events[-1].data["sha256"]) == ("stored", artifact.sha256)
    return artifact.status == "stored"


@pytest.mark.parametrize("kind", [FileSystemStorage, Bucket])
def test_restored_database_takes_a_stored_file_that_cloudflare_deleted(
    world: World, done: Command, settings: Any, kind: type[FileSystemStorage]
) -> None:
    content = _zip()
    _put(world.artifact(done), content)
    _stored_as(kind, settings)
    world.forward(days=8)
    assert world.collect()
    assert _is_adopted(world, done, content)
    assert _lies(world.artifact(done)) == content


def test_stored_but_unrecorded_file_is_not_downloaded_again(world: World, done: Command) -> None:
    artifact = claim_artifact(world.now)
    assert artifact is not None
    whole = module.fetch_file(artifact, lambda: True)
    store(artifact, whole)
    whole.spool.unlink()
    world.faults(refusal("download"))
    world.forward(minutes=16)
    assert world.collect()
    assert _is_adopted(world, done, _lies(artifact))
    assert "download" not in world.pauses()


@pytest.mark.parametrize("content", [_zip()[:-10], _zip().replace(b"Connected", b"connected"), b""])
def test_partial_or_damaged_stored_file_is_fetched_again(world: World, done: Command, content: bytes) -> None:
    _put(world.artifact(done), content)
    assert world.collect()
    artifact = world.artifact(done)
    assert artifact.status == "stored"
    assert len(_lies(artifact)) == artifact.size
    assert artifact.size != len(content)


def test_partial_stored_file_does_not_prevent_gone(world: World, done: Command) -> None:
    _put(world.artifact(done), _zip()[:-10])
    world.forward(days=8)
    assert world.collect()
    assert world.artifact(done).status == "gone"


def test_unreadable_storage_ends_no_file(world: World, done: Command, settings: Any) -> None:
    content = _zip()
    _put(world.artifact(done), content)
    _stored_as(Unreachable, settings)
    world.forward(days=7, hours=20)
    for _ in range(4):
        assert world.collect()
        artifact = world.artifact(done)
        assert (artifact.status, artifact.attempts) == ("wanted", 0)
        assert artifact.reason_code == ArtifactReason.STORAGE_UNREADABLE
        world.forward(minutes=21)
    _stored_as(FileSystemStorage, settings)
    assert world.collect()
    assert _is_adopted(world, done, content)


def test_file_taken_from_the_storage_does_not_end_a_pause(world: World, done: Command) -> None:
    world.faults(refusal("download"))
    assert world.collect()
    _put(world.artifact(done), _zip())
    world.forward(minutes=6)
    assert world.collect()
    assert world.artifact(done).status == "stored"
    assert world.pauses()["download"].refused


def test_spool_is_deleted_when_the_storage_has_the_file(world: World, done: Command) -> None:
    world.fault("cut_short", call="download", share=0.5)
    assert world.collect()
    artifact = world.artifact(done)
    assert spool_path(artifact).exists()
    _put(artifact, _zip())
    world.forward(minutes=21)
    assert world.collect()
    assert world.artifact(done).status == "stored"
    assert not spool_path(artifact).exists()
