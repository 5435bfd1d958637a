"""The files of finished commands: claimed, spooled, checked, stored.

A spool continues where it broke off, if Cloudflare's ETag is still the same. The file is stored under the artifact's id
only when it is whole: its announced length and its zip directory. Nothing here reads what it says.
"""

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db.models import QuerySet

from commands import causes
from commands.actions import budget, claims, upstream
from commands.actions.budget import NotNow
from commands.actions.moves import change
from commands.actions.upstream import NoCredential
from commands.audit import PORTAL
from commands.cloudflare.errors import CloudflareError, NotFound, NotSent, Refused, Throttled, TooLarge
from commands.models import Account, Artifact, Pause
from commands.states import ArtifactStatus

log = structlog.get_logger(__name__)

TO_FETCH = (ArtifactStatus.WANTED, ArtifactStatus.FETCHING)


class Broken(Exception):
    """What came is not a whole zip; the spool was thrown away."""


class Lost(Exception):
    """The lease ran out and another worker took the file over: nothing of it is ours to write any more."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete file in the spool."""

    path: Path
    size: int
    sha256: str
    files: tuple[str, ...]  # the names in the zip


NO_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)
type Failure = CloudflareError | NotNow | NoCredential | Broken | OSError


def storage() -> Storage:
    return storages["artifacts"]


def collect(*, now: Callable[[], datetime]) -> bool:
    """Fetch one file that is wanted, the one that Cloudflare deletes first; False if there is none to fetch now."""
    artifact = _claim(now())
    if artifact is None:
        return False
    try:
        whole = _fetch(artifact)
        _store(artifact, whole)
    except Lost:
        log.warning("artifact_lost", artifact=str(artifact.id))
    except (CloudflareError, NotNow, NoCredential, Broken, OSError) as failure:
        _record_failure(artifact, failure, now=now())
    else:
        _record_stored(artifact, whole, now=now())
    return True


def askable(now: datetime) -> QuerySet[Account]:
    """The accounts whose files may be asked for: not retired, of the upstream in force, and not resting."""
    resting = Pause.objects.filter(act=Pause.Act.DOWNLOAD, until__gt=now).values("account_id")
    accounts = Account.objects.in_force().exclude(id__in=resting)
    return accounts.exclude(credential__budget__paused_until__gt=now)


def _claim(now: datetime) -> Artifact | None:
    """The most urgent file of an account of which nobody else is fetching one."""
    files = Artifact.objects.filter(status__in=TO_FETCH, attempts__lt=settings.ATTEMPTS)
    files = files.filter(command__account__in=askable(now)).order_by("deleted_remotely_at", "id")
    passed: set[UUID] = set()
    while True:
        with change(by=PORTAL, now=now) as changes:
            free = files.filter(claims.is_free(claims.database_now()))
            busy = passed | set(_under_way().values_list("command__account_id", flat=True))
            account_id = free.exclude(command__account__in=busy).values_list("command__account_id", flat=True).first()
            if account_id is None:
                return None
            artifact = _first_of(account_id, files)
            if artifact is not None:
                if artifact.status == ArtifactStatus.WANTED:
                    changes.move_artifact(artifact, to=ArtifactStatus.FETCHING)
                return artifact
        passed.add(account_id)


def _under_way() -> QuerySet[Artifact]:
    return Artifact.objects.filter(status=ArtifactStatus.FETCHING, lease_until__gt=claims.database_now())


def _first_of(account_id: UUID, files: QuerySet[Artifact]) -> Artifact | None:
    """The first of its files, under a lease; None while another worker claims, or fetches, one of this account.

    The lock on the account's row, held until the claim is committed, makes the look for another's lease count: each
    statement of PostgreSQL sees what was committed before it. On SQLite the whole transaction is alone.
    """
    locked = Account.objects.select_for_update(no_key=True, skip_locked=True).filter(id=account_id)
    if locked.first() is None or _under_way().filter(command__account=account_id).exists():
        return None
    return claims.take(files.filter(command__account=account_id), lasting=settings.ARTIFACT_LEASE)


def spool_path(artifact: Artifact) -> Path:
    return Path(settings.SPOOL_DIR) / f"{artifact.id}.part"


def _fetch(artifact: Artifact) -> Whole:
    """The whole file in the spool; continues what an earlier attempt left there."""
    path = spool_path(artifact)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = artifact.command
    offset = path.stat().st_size if artifact.etag and path.exists() else 0
    with (
        upstream.client_for(command.account) as client,
        client.download(
            command.remote_id,
            artifact.filename,
            device_id=command.device_id,
            offset=offset,
            etag=artifact.etag,
        ) as download,
        path.open("r+b" if download.starts_at else "wb") as spool,
    ):
        # After the spool was emptied: a tag never stands beside the bytes of another one.
        Artifact.objects.filter(claims.held(artifact)).update(etag=download.etag if download.resumable else "")
        spool.seek(download.starts_at)
        for chunk in download.chunks():
            spool.write(chunk)
        spool.truncate()
    return _checked(path)


def _checked(path: Path) -> Whole:
    """Its size and hash, if the zip's directory reads and every member's checksum is right; raises Broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            bad, files = archive.testzip(), tuple(archive.namelist())
    except NO_ZIP as error:
        path.unlink()
        raise Broken("The file that Cloudflare sent is not a readable zip.") from error
    if bad is not None:
        path.unlink()
        raise Broken("A file in the zip that Cloudflare sent is damaged.")
    with path.open("rb") as spool:
        digest = hashlib.file_digest(spool, "sha256")
    return Whole(path, path.stat().st_size, digest.hexdigest(), files)


def _store(artifact: Artifact, whole: Whole) -> None:
    """Under the artifact's id; what an earlier attempt may have left there is replaced.

    Never what another worker has stored: the lease is renewed first, and outlives the storing.
    """
    if not claims.renew(artifact, lasting=settings.ARTIFACT_LEASE):
        raise Lost
    name = artifact.storage_name
    storage().delete(name)
    with whole.path.open("rb") as spool:
        stored = storage().save(name, File(spool, name=name))
    if stored != name:
        storage().delete(stored)
        raise OSError("Another worker stored the same file at the same time.")


def _record_stored(artifact: Artifact, whole: Whole, *, now: datetime) -> None:
    words = causes.partial_words(artifact.command.kind, artifact.command.options, whole.files)
    values = {"size": whole.size, "sha256": whole.sha256, "stored_at": now, "words": words, **claims.released()}
    with change(by=PORTAL, now=now) as changes:
        changes.move_artifact(artifact, to=ArtifactStatus.STORED, where=claims.held(artifact), values=values)
    whole.path.unlink(missing_ok=True)
    budget.works(artifact.command.account, Pause.Act.DOWNLOAD)
    log.info("artifact_stored", artifact=str(artifact.id), size=whole.size)


def _record_failure(artifact: Artifact, failure: Failure, *, now: datetime) -> None:
    words = failure.words if isinstance(failure, CloudflareError | NotNow | NoCredential) else str(failure)
    to, values = _after(artifact, failure, now)
    if to in (ArtifactStatus.GONE, ArtifactStatus.TOO_LARGE, ArtifactStatus.REFUSED):
        spool_path(artifact).unlink(missing_ok=True)
    with change(by=PORTAL, now=now) as changes:
        changes.move_artifact(artifact, to=to, where=claims.held(artifact), values={"words": words[:500], **values})
    log.warning("artifact_not_fetched", artifact=str(artifact.id), status=to, words=words)


def _after(artifact: Artifact, failure: Failure, now: datetime) -> tuple[ArtifactStatus, dict[str, object]]:
    """Where a failed fetch leaves the artifact, and the columns of its lease."""
    spent = artifact.attempts >= settings.ATTEMPTS
    if isinstance(failure, NotFound) and (spent or artifact.deleted_remotely_at <= now):
        return ArtifactStatus.GONE, claims.released()
    if isinstance(failure, TooLarge):
        return ArtifactStatus.TOO_LARGE, claims.released()
    counted = artifact.attempts - _is_not_the_files_fault(failure)
    if isinstance(failure, NotNow):
        return ArtifactStatus.WANTED, claims.released(attempts=counted, not_before=failure.until)
    pause = settings.PAUSE_BASE * 2 ** min(artifact.attempts, 10)
    again = min(settings.PAUSE_MAX, pause)
    if isinstance(failure, CloudflareError | NoCredential):
        resumes = upstream.rest_after(artifact.command.account, Pause.Act.DOWNLOAD, failure, now=now)
        again = max(again, resumes - now) if resumes else again
    if counted >= settings.ATTEMPTS:
        return ArtifactStatus.REFUSED, claims.released()
    return ArtifactStatus.WANTED, claims.released(attempts=counted, not_before=now + again)


def _is_not_the_files_fault(failure: Failure) -> bool:
    """What stands in every file's way alike costs none of them an attempt."""
    if isinstance(failure, NotFound):
        return False
    is_outage = isinstance(failure, CloudflareError) and failure.status >= 500
    return is_outage or isinstance(failure, NotNow | NoCredential | NotSent | Throttled | Refused | OSError)
