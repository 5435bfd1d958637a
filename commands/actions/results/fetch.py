"""The files of finished commands: claimed, spooled, checked, stored.

A spool continues where it broke off, if Cloudflare's ETag and length are still the same. The file is stored under the
artifact's id only when it is whole: its announced length, and its zip by `artifacts/bundle.py`. One that lies there
whole is not fetched. Nothing here reads what it says.

Each file ends in a named state: three failures of its own, or a day after Cloudflare deleted it. What stands in every
file's way alike, an attempt that brought more of it, and a worker that is told to stop, cost it nothing before that.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files import File
from django.db.models import QuerySet

from commands.actions.listing import schedule
from commands.actions.record import leases
from commands.actions.record.transitions import MAX_WORDS, change_statuses
from commands.actions.upstream import clients, rate_limit
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.rate_limit import NotNow
from commands.artifacts import bundle
from commands.audit import PORTAL, EventType
from commands.cloudflare.errors import (
    CloudflareError,
    DeadlineExceeded,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Refused,
    Throttled,
    TooLarge,
)
from commands.models import Account, AccountSync, Artifact, Event, Pause
from commands.rules import causes
from commands.rules.states import ArtifactStatus
from commands.storage import artifact_storage

log = structlog.get_logger(__name__)

MOST_TOLD = 10  # reasons in one file's history why it is not here yet
FROM_ZERO: Mapping[str, object] = {"etag": "", "announced_size": None}  # a spool that nothing may continue
STOPPED = "The worker or the database stopped meanwhile; it goes on where it stood."
ALONE = "Other files of the account came meanwhile."
UNLISTED = "A listing has yet to tell whether Cloudflare still serves the account."


class Lost(Exception):
    """The lease ran out and another worker took the file over: nothing of it is ours to write any more."""


class Stopped(Exception):
    """The worker was told to stop: what is in the spool is the next one's to continue."""


class NotStored(Exception):
    """The storage did not take the file (what it took of it is deleted again), or does not say what it has."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete file; `path` is its place in the spool."""

    path: Path
    size: int
    sha256: str
    files: tuple[str, ...]  # the names in the zip
    stored_at: datetime | None = None  # where it lay in the store already


type Failure = CloudflareError | NotNow | NoCredential | bundle.InvalidZip | NotStored | OSError


def collect(*, now: Callable[[], datetime], is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Fetch one file that is wanted, the one that Cloudflare deletes first; False if there is none to fetch now.

    `is_wanted` is asked after each piece of it: False hands the file back, to go on where it stands.
    """
    artifact = _claim(now())
    if artifact is None:
        return False
    before = _spooled(artifact)
    write: Callable[..., None]
    try:
        whole = _lying_in_store(artifact)
        if whole is None:
            whole = _fetch(artifact, is_wanted)
            _store(artifact, whole)
    except Lost:
        log.warning("artifact_lost", artifact=str(artifact.id))
        return True
    except (Stopped, *leases.DATABASE_DOWN):
        write = partial(_hand_back, artifact)
    except (CloudflareError, NotNow, NoCredential, bundle.InvalidZip, NotStored, OSError) as failure:
        write = partial(_record_failure, artifact, failure, has_grown=_spooled(artifact) > before)
    else:
        write = partial(_record_stored, artifact, whole)
    # A database that is away costs no file an attempt; whoever has taken it over meanwhile is told by the fence.
    leases.retry_while_database_is_down(
        lambda: write(now=now()), until=time.monotonic() + settings.ARTIFACT_LEASE.total_seconds() / 2
    )
    return True


def askable(now: datetime) -> QuerySet[Account]:
    """The accounts whose files may be asked for: not retired, of the upstream in force, and not resting."""
    resting = Pause.objects.filter(act=Pause.Act.DOWNLOAD).exclude(leases.has_passed("until", now)).values("account_id")
    accounts = Account.objects.active().exclude(id__in=resting)
    return accounts.filter(leases.has_passed("credential__budget__paused_until", now))


def _claim(now: datetime) -> Artifact | None:
    """The most urgent file of an account of which nobody else is fetching one."""
    files = Artifact.objects.to_fetch().filter(attempts__lt=settings.ATTEMPTS)
    files = files.filter(command__account__in=askable(now)).order_by("deleted_remotely_at", "id")
    passed: set[UUID] = set()
    while True:
        with change_statuses(by=PORTAL, now=now) as changes:
            free = files.filter(leases.is_free(leases.database_now()))
            busy = passed | set(_under_way().values_list("command__account_id", flat=True))
            account_id = free.exclude(command__account__in=busy).values_list("command__account_id", flat=True).first()
            if account_id is None:
                return None
            artifact = _first_of(account_id, files)
            if artifact is not None:
                if artifact.status == ArtifactStatus.WANTED:
                    changes.move_artifact(artifact, to=ArtifactStatus.FETCHING, tell=not artifact.words)
                return artifact
        passed.add(account_id)


def _under_way() -> QuerySet[Artifact]:
    over = leases.has_passed("lease_until", leases.database_now())
    return Artifact.objects.filter(status=ArtifactStatus.FETCHING).exclude(over)


def _first_of(account_id: UUID, files: QuerySet[Artifact]) -> Artifact | None:
    """The first of its files, under a lease; None while another worker claims, or fetches, one of this account.

    The lock on the account's row, held until the claim is committed, makes the look for another's lease count: each
    statement of PostgreSQL sees what was committed before it. On SQLite the whole transaction is alone.
    """
    locked = Account.objects.select_for_update(no_key=True, skip_locked=True).filter(id=account_id)
    if locked.first() is None or _under_way().filter(command__account=account_id).exists():
        return None
    files = files.filter(command__account=account_id)
    if Pause.objects.filter(account=account_id, act=Pause.Act.DOWNLOAD).exists():  # until one came again: each in turn
        files = files.order_by("status_at", "deleted_remotely_at", "id")
    return leases.take(files, lasting=settings.ARTIFACT_LEASE)


def _lying_in_store(artifact: Artifact) -> Whole | None:
    """What lies at its place, if it is whole: its worker died before it recorded it, or the database is older than it.

    Looked for before anything is asked of Cloudflare, who may have deleted its copy since, and before it is replaced.
    """
    name = artifact.storage_name
    try:
        if not artifact_storage().exists(name):
            return None
        if not leases.renew(artifact, lasting=settings.ARTIFACT_STORE_LEASE):
            raise Lost
        with artifact_storage().open(name) as file:
            whole = _inspected(file, spool_path(artifact))
        _sync_to_disk(name)
        return replace(whole, stored_at=artifact_storage().get_modified_time(name))
    except bundle.InvalidZip:
        return None
    except (Lost, *leases.DATABASE_DOWN):
        raise
    except Exception as problem:  # a bucket's errors are not those of a disk
        log.warning("storage_not_read", artifact=str(artifact.id), problem=repr(problem))
        raise NotStored(f"The storage could not be looked into: {_told_by(problem)}.") from problem


def spool_path(artifact: Artifact) -> Path:
    return Path(settings.SPOOL_DIR) / f"{artifact.id}.part"


def _spooled(artifact: Artifact) -> int:
    """How many bytes the next attempt may continue."""
    path = spool_path(artifact)
    return path.stat().st_size if artifact.etag and path.exists() else 0


def _fetch(artifact: Artifact, is_wanted: Callable[[], bool]) -> Whole:
    """The whole file in the spool; continues what an earlier attempt left there."""
    path = spool_path(artifact)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    offset = _spooled(artifact)
    if 0 < offset == artifact.announced_size:  # all of it came, and was not stored
        return _checked(path)
    _download(artifact, path, offset, is_wanted)
    whole = _checked(path)
    rate_limit.clear_pause(artifact.command.account, Pause.Act.DOWNLOAD)
    return whole


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
        # After the spool was emptied: a tag never stands beside the bytes of another one.
        begun = {"etag": download.etag, "announced_size": download.total} if download.resumable else FROM_ZERO
        Artifact.objects.filter(leases.is_holder(artifact)).update(**begun)
        artifact.etag = str(begun["etag"])
        spool.seek(download.starts_at)
        lease = leases.KeptAlive(artifact, lasting=settings.ARTIFACT_LEASE)
        for chunk in download.chunks():
            spool.write(chunk)
            if not lease.is_held():
                raise Lost
            if not is_wanted():
                raise Stopped
        spool.truncate()


def _checked(path: Path) -> Whole:
    """Its size and hash, if it is a whole zip; raises InvalidZip, and the spool is gone."""
    try:
        with path.open("rb") as spool:
            return _inspected(spool, path)
    except bundle.InvalidZip:
        path.unlink()
        raise


def _inspected(file: IO[bytes], path: Path) -> Whole:
    files = bundle.verified_names(file)
    size = file.seek(0, 2)
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(bundle.CHUNK):
        digest.update(piece)
    return Whole(path, size, digest.hexdigest(), files)


def _store(artifact: Artifact, whole: Whole) -> None:
    """Under the artifact's id; what an earlier attempt may have left there is replaced.

    Never what another worker has stored: the lease is renewed first, and outlives the storing.
    """
    if not leases.renew(artifact, lasting=settings.ARTIFACT_STORE_LEASE):
        raise Lost
    name = artifact.storage_name
    try:
        artifact_storage().delete(name)
        with whole.path.open("rb") as spool:
            stored = artifact_storage().save(name, File(spool, name=name))
    except Exception as problem:  # a bucket's errors are not those of a disk
        log.warning("artifact_not_stored", artifact=str(artifact.id), problem=repr(problem))
        _clear_away(artifact)
        raise NotStored(f"The file could not be stored: {_told_by(problem)}.") from problem
    if stored != name:
        artifact_storage().delete(stored)
        raise NotStored("Another worker stored the same file at the same time.")
    _sync_to_disk(name)


def _sync_to_disk(name: str) -> None:
    """A power cut must not find a part of what is recorded as whole; a bucket sees to that itself."""
    try:
        path = Path(artifact_storage().path(name))
    except NotImplementedError:
        return
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _clear_away(artifact: Artifact) -> None:
    """A part of a file must not lie where a file is looked for. Without its lease it may be another's: `keep.py`."""
    if leases.renew(artifact, lasting=settings.ARTIFACT_LEASE):
        with suppress(Exception):  # of a storage that just failed; the next attempt begins with the same
            artifact_storage().delete(artifact.storage_name)


def _told_by(problem: Exception) -> str:
    """Without the paths and numbers of an error's text: those are for the log."""
    return (problem.strerror if isinstance(problem, OSError) else None) or type(problem).__name__


def _record_stored(artifact: Artifact, whole: Whole, *, now: datetime) -> None:
    words = causes.partial_words(artifact.command.kind, artifact.command.options, whole.files)
    stored_at = min(whole.stored_at or now, now)
    values = {"size": whole.size, "sha256": whole.sha256, "stored_at": stored_at, "words": words, **leases.released()}
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.move_artifact(artifact, to=ArtifactStatus.STORED, where=leases.is_holder(artifact), values=values)
    whole.path.unlink(missing_ok=True)
    log.info("artifact_stored", artifact=str(artifact.id), size=whole.size)


def _hand_back(artifact: Artifact, *, now: datetime) -> None:
    """To be continued at once, by whoever comes next; the attempt does not count."""
    values = {"words": artifact.words or STOPPED, **leases.released(attempts=artifact.attempts - 1)}
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.move_artifact(
            artifact, to=ArtifactStatus.WANTED, where=leases.is_holder(artifact), values=values, tell=False
        )
    log.info("artifact_handed_back", artifact=str(artifact.id))


def _record_failure(artifact: Artifact, failure: Failure, *, has_grown: bool, now: datetime) -> None:
    words = _words(failure)
    is_alone, is_doubted = _is_refused_alone(artifact, failure), _is_doubted(artifact, failure, now)
    if is_alone:
        words = f"{words} {ALONE}"
    if is_doubted:
        words = f"{words} {UNLISTED}"
    costs_nothing = has_grown or is_doubted or (not is_alone and _is_not_the_files_fault(failure))
    to, values = _after(artifact, failure, now, costs_nothing=costs_nothing)
    if to == ArtifactStatus.REFUSED and is_past_retention(artifact, now):
        words = too_late(words)
    if to != ArtifactStatus.WANTED:
        spool_path(artifact).unlink(missing_ok=True)
    elif isinstance(failure, NotFound):  # by which the next 404 can count
        schedule.schedule_listing_by(artifact.command.account_id, at=now, complete=True)
    tell = to != ArtifactStatus.WANTED or _is_news(artifact, words)
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.move_artifact(
            artifact, to=to, where=leases.is_holder(artifact), values={"words": words, **values}, tell=tell
        )
    log.warning("artifact_not_fetched", artifact=str(artifact.id), status=to, words=words)


def _words(failure: Failure) -> str:
    if isinstance(failure, CloudflareError | NotNow | NoCredential):
        return failure.message[:MAX_WORDS]
    return f"The file could not be kept: {_told_by(failure)}." if isinstance(failure, OSError) else str(failure)


def _is_news(artifact: Artifact, words: str) -> bool:
    """An outage is tried hundreds of times: the history tells each reason once, and not of too many of them."""
    if words == artifact.words:
        return False
    waits = Event.objects.filter(
        command=artifact.command_id, event=EventType.ARTIFACT, data__artifact_status=ArtifactStatus.WANTED
    )
    told = [data.get("because") for data in waits.values_list("data", flat=True)]
    return len(told) < MOST_TOLD and words not in told


def is_past_retention(artifact: Artifact, now: datetime) -> bool:
    """Cloudflare deleted it so long ago that nothing is worth waiting for."""
    return now >= artifact.deleted_remotely_at + settings.ARTIFACT_GIVE_UP


def too_late(words: str) -> str:
    return f"It could not be fetched before Cloudflare deleted it. {words}"[:MAX_WORDS].strip()


def _after(
    artifact: Artifact, failure: Failure, now: datetime, *, costs_nothing: bool
) -> tuple[ArtifactStatus, dict[str, object]]:
    """Where a failed fetch leaves the artifact, and the columns of its lease."""
    counted = artifact.attempts - costs_nothing
    if isinstance(failure, NotFound) and (counted >= settings.ATTEMPTS or artifact.deleted_remotely_at <= now):
        return ArtifactStatus.GONE, leases.released()
    if isinstance(failure, TooLarge):
        return ArtifactStatus.TOO_LARGE, leases.released()
    again = _not_before(artifact, failure, now, costs_nothing=costs_nothing)
    if counted >= settings.ATTEMPTS or is_past_retention(artifact, now):
        return ArtifactStatus.REFUSED, leases.released()
    return ArtifactStatus.WANTED, leases.released(attempts=counted, not_before=again)


def _not_before(artifact: Artifact, failure: Failure, now: datetime, *, costs_nothing: bool) -> datetime:
    """When to try again; what concerns more than this file lets the account's downloads rest."""
    if isinstance(failure, NotNow):
        return failure.until
    pause = settings.ARTIFACT_RETRIES[min(artifact.attempts, len(settings.ARTIFACT_RETRIES)) - 1]
    if isinstance(failure, NotFound) and costs_nothing and artifact.words.endswith(UNLISTED):
        pause = settings.ARTIFACT_RETRIES[-1]  # the listing that was asked for did not come
    # A disk or bucket that takes nothing is mended by people.
    again: datetime = now + (settings.PAUSE_MAX if isinstance(failure, NotStored | OSError) else pause)
    if isinstance(failure, Refused) and not costs_nothing:
        return again
    if isinstance(failure, CloudflareError | NoCredential):
        resumes = clients.pause_after_error(artifact.command.account, Pause.Act.DOWNLOAD, failure, now=now)
        # another file first: this one may be all that is wrong
        if resumes and isinstance(failure, OutcomeUnknown | Refused):
            resumes += settings.ARTIFACT_RETRIES[0]
        return max(again, resumes) if resumes else again
    return again


def _is_refused_alone(artifact: Artifact, failure: Failure) -> bool:
    """Another file of the account came since this one failed last: so the account is not what is refused.

    `status_at` is as the claim found it: when the attempt before this one ended.
    """
    if not isinstance(failure, Refused) or isinstance(failure, NotFound) or artifact.words in ("", STOPPED):
        return False
    account_id = artifact.command.account_id
    return Artifact.objects.filter(command__account=account_id, stored_at__gt=artifact.status_at).exists()


def _is_doubted(artifact: Artifact, failure: Failure, now: datetime) -> bool:
    """A 404 before the file's time, and no sign since its last attempt that the account itself is still there."""
    if not isinstance(failure, NotFound) or artifact.deleted_remotely_at <= now:
        return False
    account_id = artifact.command.account_id
    if Pause.objects.filter(account=account_id, act=Pause.Act.LIST, refused=True).exists():  # until a listing comes
        return True
    return not AccountSync.objects.filter(account=account_id, listed_at__gt=artifact.status_at).exists()


def _is_not_the_files_fault(failure: Failure) -> bool:
    """What stands in every file's way alike costs none of them an attempt."""
    if isinstance(failure, NotFound):
        return False
    if isinstance(failure, CloudflareError) and failure.status >= 500:
        return True
    if type(failure) in (OutcomeUnknown, DeadlineExceeded):  # no answer, or a connection that broke
        return True
    return isinstance(failure, NotNow | NoCredential | NotSent | Throttled | Refused | NotStored | OSError)
