"""Delete spool files and stored artifacts that no row needs any more.

A file is deleted only if no row can ever want it again: its row is in a final state without a file, or the file's name
is not the name that its row gives. A spool file may also have no row at all. So no worker can be storing a file that is
deleted here, two cleanups at once do no harm, and what one leaves, the next one finds.

A stored file without a row is never deleted. The row always comes first, so such a file belongs to another database, or
to a time after the backup from which this one was restored. Names that are not ours are left alone too, because the
folder or the bucket may be shared.
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
MAX_DELETED = 500  # stored files in one cleanup: the rest follows with the next

NO_FILE = frozenset(ArtifactStatus) - HAS_FILE - set(TO_FETCH)

_ID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_PART = re.compile(rf"{_ID}\.part")
_FOLDER = re.compile(r"[0-9a-f]{4}")
_FILE = re.compile(rf"{_ID}(?:_\w+)?\.zip")  # with the suffix that Django adds when the name is taken

type Statuses = dict[UUID, str]


def sweep(*, now: datetime, is_wanted: Callable[[], bool] = lambda: True) -> int:
    """Clean the spool folder and one folder of the storage, another one each time. Return the number of deleted files.

    `is_wanted` is called before each stored file. False ends the cleanup.
    """
    spools = _sweep_spools(now)
    files = 0
    try:
        files = _sweep_storage(now, is_wanted)
    except FileNotFoundError:
        pass  # nothing has been stored yet, or another cleanup was first
    except Exception as problem:  # the errors of a bucket are not those of a disk. The next cleanup goes on.
        log.warning("sweep_broke_off", problem=repr(problem))
    if spools or files:
        log.info("swept", spools=spools, files=files)
    return spools + files


def _statuses(ids: Iterable[UUID]) -> Statuses:
    return dict(Artifact.objects.filter(id__in=list(ids)).values_list("id", "status"))


def _sweep_spools(now: datetime) -> int:
    swept = 0
    for batch in batched(sorted(Path(settings.SPOOL_DIR).glob("*.part")), BATCH):
        ids = {path: UUID(match[1]) for path in batch if (match := _PART.fullmatch(path.name))}
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
    """Clean one folder, which holds the files of some weeks. A bucket has to list only that one."""
    folders = sorted(filter(_FOLDER.fullmatch, artifact_storage().listdir("")[0]))
    if not folders:
        return 0
    number = int(now.timestamp() // settings.SWEEP_INTERVAL.total_seconds())
    swept = 0
    for name, id_ in islice(_unneeded_files(folders[number % len(folders)]), MAX_DELETED):
        if not is_wanted():
            break
        if _is_old(name, now) and _is_unneeded(name, id_, _statuses([id_])):
            artifact_storage().delete(name)
            log.info("file_swept", name=name)
            swept += 1
    return swept


def _is_old(name: str, now: datetime) -> bool:
    return artifact_storage().get_modified_time(name) <= now - settings.SWEEP_GRACE


def _unneeded_files(folder: str) -> Iterator[tuple[str, UUID]]:
    """Yield the files of the folder that their rows don't need. Files without a row are logged and left."""
    files = {
        f"{folder}/{name}": UUID(match[1])
        for name in artifact_storage().listdir(folder)[1]
        if (match := _FILE.fullmatch(name))
    }
    statuses: Statuses = {}
    for ids in batched(sorted(set(files.values())), BATCH):
        statuses |= _statuses(ids)
    without_row = sum(id_ not in statuses for id_ in files.values())
    if without_row:
        log.warning("files_of_another_database", folder=folder, files=len(files), without_row=without_row)
    for name, id_ in sorted(files.items()):
        if _is_unneeded(name, id_, statuses):
            yield name, id_


def _is_unneeded(name: str, id_: UUID, statuses: Statuses) -> bool:
    """Return whether the row doesn't need the file. A file still to fetch replaces what has its name, so it stays."""
    status = statuses.get(id_)
    if status is None or status in TO_FETCH:
        return False
    return status in NO_FILE or name != Artifact.storage_name_of(id_)
