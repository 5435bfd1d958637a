"""Deletion of spool files and stored files that no row needs, also with concurrent cleanups."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from commands.actions.results import cleanup
from commands.actions.results.spool import spool_path
from commands.models import Artifact, Command
from commands.rules.states import ARTIFACT_MOVES, HAS_FILE, ArtifactStatus, Status
from tests.actions.racing import race
from tests.actions.world import World
from tests.models.test_artifact_constraints import valid_columns
from tests.rows import make_artifact, make_command, make_run

TO_FETCH = {ArtifactStatus.WANTED, ArtifactStatus.FETCHING}
LONG = timedelta(hours=25)


def _artifact(world: World, status: str, **values: Any) -> Artifact:
    command = make_command(make_run(world.account, world.person), Status.SUCCESS)
    return make_artifact(command, status, **valid_columns(status), **values)


def _lost(world: World, folder: str = "0190") -> str:
    """Store a file whose row no longer needs it, and return its name."""
    id_ = UUID(f"{folder}{str(uuid4())[4:]}")
    return _put(_artifact(world, "gone", id=id_).storage_name)


def _put(name: str) -> str:
    return storages["artifacts"].save(name, ContentFile(b"zip"))


def _there(name: str) -> bool:
    return storages["artifacts"].exists(name)


def _spool(id_: UUID, settings: Any) -> Path:
    path = Path(settings.SPOOL_DIR) / f"{id_}.part"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"zip")
    return path


def _sweep(world: World) -> int:
    return cleanup.sweep(now=world.now)


def test_states_whose_files_are_deleted_are_final() -> None:
    assert not {source for source, _ in ARTIFACT_MOVES} & cleanup.NO_FILE
    assert set(ArtifactStatus) == cleanup.NO_FILE | HAS_FILE | TO_FETCH


@pytest.mark.django_db
@pytest.mark.parametrize("status", sorted(ArtifactStatus))
def test_spool_and_stored_file_stay_only_if_the_artifact_state_needs_them(
    world: World, settings: Any, status: str
) -> None:
    artifact = _artifact(world, status)
    spool, name = _spool(artifact.id, settings), _put(artifact.storage_name)
    _sweep(world)
    assert (spool.exists(), _there(name)) == (True, True), "not yet: they are too young"
    world.forward(LONG.total_seconds())
    _sweep(world)
    assert (spool.exists(), _there(name)) == (status in TO_FETCH, status in HAS_FILE | TO_FETCH)


@pytest.mark.django_db
def test_old_spool_file_without_a_row_is_deleted(world: World, settings: Any) -> None:
    spool = _spool(uuid4(), settings)
    assert _sweep(world) == 0
    world.forward(LONG.total_seconds())
    assert _sweep(world) == 1
    assert not spool.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("beside", [0, 3])
def test_stored_file_without_a_row_is_logged_and_never_deleted(
    world: World, beside: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Keep the file, because it belongs to another database, or to a time after the backup of this one."""
    ours = [_lost(world) for _ in range(beside)]
    id_ = f"0190{str(uuid4())[4:]}"
    names = [_put(name) for name in (f"0190/{id_}.zip", f"0190/{id_}.zip", f"0190/{uuid4()}.zip")]
    world.forward(LONG.total_seconds())
    assert _sweep(world) == beside
    assert all(map(_there, names))
    assert not any(map(_there, ours))
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    logged = [line for line in lines if line["event"] == "files_of_another_database"]
    assert [(row["folder"], row["files"], row["without_row"]) for row in logged] == [("0190", 3 + beside, 3)]


@pytest.mark.django_db
def test_second_copy_of_a_stored_file_is_deleted(world: World) -> None:
    artifact = _artifact(world, "stored")
    own, copy = _put(artifact.storage_name), _put(artifact.storage_name)
    assert own != copy
    world.forward(LONG.total_seconds())
    assert _sweep(world) == 1
    assert (_there(own), _there(copy)) == (True, False)


@pytest.mark.django_db
def test_files_with_foreign_names_are_left_alone(world: World, settings: Any) -> None:
    names = [_put(name) for name in ("backup.zip", "0190/notes.zip", f"other/{uuid4()}.zip", f"0190/{uuid4()}.txt")]
    ballast = _spool(uuid4(), settings).with_name("ballast.part")
    ballast.write_bytes(b"")
    world.forward(LONG.total_seconds())
    _sweep(world)
    assert all(map(_there, names))
    assert ballast.exists()


@pytest.mark.django_db
def test_cleanup_takes_another_folder_each_time(world: World) -> None:
    names = [_lost(world, folder) for folder in ("0190", "0191", "0192")]
    world.forward(LONG.total_seconds())
    for _ in range(3):
        assert _sweep(world) == 1
        world.forward(hours=1)
    assert not any(map(_there, names))


@pytest.mark.django_db
def test_cleanup_deletes_a_limited_number_of_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "MAX_DELETED", 2)
    for _ in range(5):
        _lost(world)
    world.forward(LONG.total_seconds())
    assert [_sweep(world) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.django_db
def test_cleanup_stops_quietly_when_the_storage_is_down(world: World, settings: Any) -> None:
    spool = _spool(uuid4(), settings)
    Path(settings.STORAGES["artifacts"]["OPTIONS"]["location"]).write_text("in the way")
    world.forward(LONG.total_seconds())
    assert _sweep(world) == 1
    assert not spool.exists()


@pytest.mark.django_db
def test_stopped_worker_ends_the_cleanup(world: World) -> None:
    name = _lost(world)
    world.forward(LONG.total_seconds())
    assert cleanup.sweep(now=world.now, is_wanted=lambda: False) == 0
    assert _there(name)


@pytest.mark.django_db(transaction=True)
def test_concurrent_cleanups_do_no_harm(world: World, settings: Any) -> None:
    artifact = _artifact(world, "stored")
    own = _put(artifact.storage_name)
    folder = own.partition("/")[0]
    lost = [_lost(world, folder) for _ in range(10)]
    spools = [_spool(uuid4(), settings) for _ in range(10)]
    world.forward(LONG.total_seconds())
    race(lambda: _sweep(world), threads=3)
    _sweep(world)
    assert not any(map(_there, lost))
    assert not any(path.exists() for path in spools)
    assert _there(own)


@pytest.mark.django_db
def test_spool_of_a_running_download_is_kept_however_old(world: World, done: Command) -> None:
    world.fault("cut_short", call="download", share=0.5)
    assert world.collect()
    artifact = world.artifact(done)
    half = _put(artifact.storage_name)
    world.forward(days=3)
    _sweep(world)
    assert spool_path(artifact).exists()
    world.heal()
    assert world.collect()
    assert world.artifact(done).status == "stored"
    _sweep(world)
    assert _there(half)
