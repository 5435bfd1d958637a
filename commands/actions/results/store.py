"""Storage of a verified file under its artifact's id, and the record of it.

A file that lies complete in the storage is taken as it is: its worker died before the record, or the database was
restored from a backup that is older than the file.
"""

import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.core.files import File

from commands.actions.record import leases
from commands.actions.record.transitions import change_statuses
from commands.actions.results.spool import VerifiedFile, spool_path, verify
from commands.artifacts import bundle
from commands.audit import PORTAL
from commands.models import Artifact
from commands.rules.artifact_reasons import ArtifactReason, partial_reason
from commands.rules.states import ArtifactStatus
from commands.storage import artifact_storage

log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Lease that another worker has taken over. This worker must not write any more."""


class NotStored(Exception):
    """Storage that failed. What it took of the file is deleted again. `detail` names the error without paths."""

    def __init__(self, reason: ArtifactReason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def find_stored(artifact: Artifact) -> VerifiedFile | None:
    """Return the complete file that the storage has for this artifact, or None.

    It is looked for before anything is requested from Cloudflare, because Cloudflare may have deleted its copy.
    Raises LeaseLost and NotStored.
    """
    name = artifact.storage_name
    try:
        if not artifact_storage().exists(name):
            return None
        if not leases.renew(artifact, lasting=settings.ARTIFACT_STORE_LEASE):
            raise LeaseLost
        with artifact_storage().open(name) as file:
            verified = verify(file, spool_path(artifact))
        _sync_to_disk(name)
        return replace(verified, stored_at=artifact_storage().get_modified_time(name))
    except bundle.InvalidZip:
        return None
    except (LeaseLost, *leases.DATABASE_DOWN):
        raise
    except Exception as problem:  # the errors of a bucket are not those of a disk
        log.warning("storage_not_read", artifact=str(artifact.id), problem=repr(problem))
        raise NotStored(ArtifactReason.STORAGE_UNREADABLE, error_detail(problem)) from problem


def store(artifact: Artifact, verified: VerifiedFile) -> None:
    """Save the file under the artifact's id and replace what an earlier attempt may have left there.

    The lease is renewed first and outlives the saving, so that no file of another worker is replaced. Raises LeaseLost
    and NotStored.
    """
    if not leases.renew(artifact, lasting=settings.ARTIFACT_STORE_LEASE):
        raise LeaseLost
    name = artifact.storage_name
    try:
        artifact_storage().delete(name)
        with verified.spool.open("rb") as spool:
            stored = artifact_storage().save(name, File(spool, name=name))
    except Exception as problem:  # the errors of a bucket are not those of a disk
        log.warning("artifact_not_stored", artifact=str(artifact.id), problem=repr(problem))
        _remove_partial(artifact)
        raise NotStored(ArtifactReason.STORAGE_FAILED, error_detail(problem)) from problem
    if stored != name:
        artifact_storage().delete(stored)
        raise NotStored(ArtifactReason.STORED_BY_ANOTHER_WORKER)
    _sync_to_disk(name)


def record_stored(artifact: Artifact, verified: VerifiedFile, *, now: datetime) -> None:
    """Move the artifact to `stored`, unless its lease was lost, and delete the spool."""
    reason = partial_reason(artifact.command.kind, artifact.command.options, verified.members)
    values = {
        "size": verified.size,
        "sha256": verified.sha256,
        "stored_at": min(verified.stored_at or now, now),
        "reason_code": reason or "",
        "remote_message": "",
        **leases.released(),
    }
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.move_artifact(artifact, to=ArtifactStatus.STORED, where=leases.is_holder(artifact), values=values)
    verified.spool.unlink(missing_ok=True)
    log.info("artifact_stored", artifact=str(artifact.id), size=verified.size)


def error_detail(problem: Exception) -> str:
    """Return the text of a disk's error, or the type of another one. Paths and numbers belong in the log only."""
    return (problem.strerror if isinstance(problem, OSError) else None) or type(problem).__name__


def _sync_to_disk(name: str) -> None:
    """Flush a file of a folder to the disk, so that no power cut truncates a recorded file. A bucket does it itself."""
    try:
        path = Path(artifact_storage().path(name))
    except NotImplementedError:
        return
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_partial(artifact: Artifact) -> None:
    """Delete what the storage took of a file. Without the lease it may be another worker's: cleanup.py decides."""
    if leases.renew(artifact, lasting=settings.ARTIFACT_LEASE):
        with suppress(Exception):  # the storage has just failed. The next attempt starts with the same deletion.
            artifact_storage().delete(artifact.storage_name)
