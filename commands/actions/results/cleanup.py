"""What lies about and is wanted by nobody: spools, and stored files of our own rows. Swept, and only swept.

What is swept can never be wanted again: its row rests in a state without a file, out of which nothing leads, or the
file lies at another name than its row's; a spool may have no row at all. So nobody can be storing it, two sweepers at
once do no harm, and what one leaves the next one finds.

A stored file without a row is never ours to delete: the row comes first, so the file belongs to another database, or to
a time after the backup that this one was restored from. Neither are names that are not ours, whatever shares the folder
or the bucket.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import batched, islice
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings

from commands.models import Artifact
from commands.rules.states import HAS_FILE, TO_FETCH, ArtifactStatus
from commands.storage import artifact_storage

log = structlog.get_logger(__name__)

BATCH = 500  # ids in one query
MOST = 500  # stored files deleted in one sweep; the rest follows with the next

NO_FILE = frozenset(ArtifactStatus) - HAS_FILE - set(TO_FETCH)

_ID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_PART = re.compile(rf"{_ID}\.part")
_FOLDER = re.compile(r"[0-9a-f]{4}")
_FILE = re.compile(rf"{_ID}(?:_\w+)?\.zip")  # with what Django adds where the name was taken

type Statuses = dict[UUID, str]


def sweep(*, now: datetime, is_wanted: Callable[[], bool] = lambda: True) -> int:
    """The spools, and one folder of the storage, in turn; returns how many files went. `is_wanted` False ends it."""
    spools = _sweep_spools(now)
    files = 0
    try:
        files = _sweep_storage(now, is_wanted)
    except FileNotFoundError:
        pass  # nothing was stored yet, or another sweeper was first
    except Exception as problem:  # a bucket's errors are not those of a disk; the next sweep goes on
        log.warning("sweep_broke_off", problem=repr(problem))
    if spools or files:
        log.info("swept", spools=spools, files=files)
    return spools + files


def _statuses(ids: Iterable[UUID]) -> Statuses:
    return dict(Artifact.objects.filter(id__in=list(ids)).values_list("id", "status"))


def _sweep_spools(now: datetime) -> int:
    swept = 0
    for batch in batched(sorted(Path(settings.SPOOL_DIR).glob("*.part")), BATCH):
        ids = {path: UUID(found[1]) for path in batch if (found := _PART.fullmatch(path.name))}
        statuses = _statuses(ids.values())
        for path, id_ in ids.items():
            if statuses.get(id_) not in TO_FETCH and _changed_before(path, now):
                path.unlink(missing_ok=True)
                swept += 1
    return swept


def _changed_before(path: Path, now: datetime) -> bool:
    try:
        return path.stat().st_mtime <= (now - settings.SWEEP_GRACE).timestamp()
    except FileNotFoundError:
        return False


def _sweep_storage(now: datetime, is_wanted: Callable[[], bool]) -> int:
    """One folder holds the files of some weeks: listing it is all that one sweep asks of a bucket."""
    folders = sorted(filter(_FOLDER.fullmatch, artifact_storage().listdir("")[0]))
    if not folders:
        return 0
    turn = int(now.timestamp() // settings.SWEEP_INTERVAL.total_seconds())
    swept = 0
    for name, id_ in islice(_lost(folders[turn % len(folders)]), MOST):
        if not is_wanted():
            break
        if _is_old(name, now) and _is_lost(name, id_, _statuses([id_])):
            artifact_storage().delete(name)
            log.info("file_swept", name=name)
            swept += 1
    return swept


def _is_old(name: str, now: datetime) -> bool:
    return artifact_storage().get_modified_time(name) <= now - settings.SWEEP_GRACE


def _lost(folder: str) -> Iterator[tuple[str, UUID]]:
    """The files of the folder that their rows do not want; those without a row are told of, and left."""
    files = {
        f"{folder}/{name}": UUID(found[1])
        for name in artifact_storage().listdir(folder)[1]
        if (found := _FILE.fullmatch(name))
    }
    statuses: Statuses = {}
    for ids in batched(sorted(set(files.values())), BATCH):
        statuses |= _statuses(ids)
    strangers = sum(id_ not in statuses for id_ in files.values())
    if strangers:
        log.warning("files_of_another_database", folder=folder, files=len(files), strangers=strangers)
    for name, id_ in sorted(files.items()):
        if _is_lost(name, id_, statuses):
            yield name, id_


def _is_lost(name: str, id_: UUID, statuses: Statuses) -> bool:
    """A file that is still to be fetched replaces whatever lies at its place, so that one is left alone."""
    status = statuses.get(id_)
    if status is None or status in TO_FETCH:
        return False
    return status in NO_FILE or name != Artifact.storage_name_of(id_)
