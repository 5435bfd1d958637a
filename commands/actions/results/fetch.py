"""Download of one artifact: claim, spool, verify, store, record.

The spool continues where it broke off if Cloudflare's ETag and length are still the same. A file is stored only when it
is complete: its announced length, and its zip by `artifacts/bundle.py`. This module doesn't read what the file says.
What a failed attempt means for the artifact is decided in `failures.py`.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings

from commands.actions.record import leases
from commands.actions.results.claim import claim_artifact
from commands.actions.results.failures import FAILURES, hand_back, record_failure
from commands.actions.results.spool import VerifiedFile, resumable_bytes, spool_path, verify_spool
from commands.actions.results.store import LeaseLost, find_stored, record_stored, store
from commands.actions.upstream import clients, pauses
from commands.models import Artifact, Pause

log = structlog.get_logger(__name__)

NOT_RESUMABLE: Mapping[str, object] = {"etag": "", "announced_size": None}


class WorkerStopped(Exception):
    """Worker that was told to stop. The next worker continues with what is in the spool."""


def collect(*, now: Callable[[], datetime], is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Fetch one artifact. Return False if there is none to fetch now.

    `is_wanted` is called after each piece of the file. False hands the artifact back, to continue where it stopped.
    """
    artifact = claim_artifact(now())
    if artifact is None:
        return False
    bytes_before = resumable_bytes(artifact)
    write: Callable[..., None]
    try:
        verified = find_stored(artifact)
        if verified is None:
            verified = fetch_file(artifact, is_wanted)
            store(artifact, verified)
    except LeaseLost:
        log.warning("artifact_lost", artifact=str(artifact.id))
        return True
    except (WorkerStopped, *leases.DATABASE_DOWN):
        write = partial(hand_back, artifact)
    except FAILURES as failure:
        write = partial(record_failure, artifact, failure, has_grown=resumable_bytes(artifact) > bytes_before)
    else:
        write = partial(record_stored, artifact, verified)
    # An outage of the database costs the artifact no attempt. If another worker took over meanwhile, its lease stops
    # this write.
    leases.retry_while_database_is_down(
        lambda: write(now=now()), until=time.monotonic() + settings.ARTIFACT_LEASE.total_seconds() / 2
    )
    return True


def fetch_file(artifact: Artifact, is_wanted: Callable[[], bool]) -> VerifiedFile:
    """Download the rest of the file into the spool and verify it. Raises as the client, the disk and the zip do."""
    path = spool_path(artifact)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    offset = resumable_bytes(artifact)
    if 0 < offset == artifact.announced_size:  # an earlier attempt downloaded all of it and could not store it
        return verify_spool(path)
    _download(artifact, path, offset, is_wanted)
    verified = verify_spool(path)
    pauses.clear_pause(artifact.command.account, Pause.Operation.DOWNLOAD)
    return verified


def _download(artifact: Artifact, path: Path, offset: int, is_wanted: Callable[[], bool]) -> None:
    command = artifact.command
    with (
        clients.client_for(command.account) as client,
        client.download(
            command.remote_id,
            artifact.filename,
            device_id=command.device_id,
            offset=offset,
            etag=artifact.etag,
            total=artifact.announced_size,
        ) as download,
        path.open("r+b" if download.starts_at else "wb") as spool,
    ):
        # Only now, when the spool is emptied: an ETag must never stand beside the bytes of another version.
        identity = {"etag": download.etag, "announced_size": download.total} if download.resumable else NOT_RESUMABLE
        Artifact.objects.filter(leases.is_holder(artifact)).update(**identity)
        artifact.etag = str(identity["etag"])
        spool.seek(download.starts_at)
        lease = leases.KeptAlive(artifact, lasting=settings.ARTIFACT_LEASE)
        for chunk in download.chunks():
            spool.write(chunk)
            if not lease.is_held():
                raise LeaseLost
            if not is_wanted():
                raise WorkerStopped
        spool.truncate()
