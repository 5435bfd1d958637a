"""Is everything that the portal needs there, and what is to be mended? Looks, and changes nothing but its own probes.

Each finding is one line for an operator; none carries a secret. The only POST is one without a single command: it tells
whether commands may be created, and creates none.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.mail import mailers
from django.db import DatabaseError, connection
from django.db.models import Exists, OuterRef

from commands import clock, redaction, schema, storage, wakeup
from commands.access import administrators_of
from commands.actions.upstream import clients
from commands.actions.upstream.clients import NoCredential
from commands.actions.upstream.probe import may_download
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, NotSent, Refused, Throttled
from commands.models import Account
from commands.queries import heartbeats
from commands.storage import artifact_storage

CLOCK_MAY_BE_OFF = timedelta(seconds=30)
READ = "Cloudflare DEX Read (or Write), Zero Trust Read or Zero Trust Report"


@dataclass(frozen=True, slots=True)
class Finding:
    """`mend`: how; '' where all is well."""

    subject: str
    words: str
    mend: str = ""

    @property
    def is_well(self) -> bool:
        return not self.mend


def examine(*, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Everything, one after the other; nothing that is broken keeps the rest from being looked at."""
    database = _database()
    yield database
    yield _storage()
    yield _spool()
    yield _broker()
    yield _mail()
    if database.is_well:
        yield _database_clock(now)
        yield from _processes()
        yield from _upstream(now)
        yield from _untold()


def _database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not schema.is_migrated():
            return Finding("database", "answers, but migrations are missing", "Run manage.py migrate.")
    except DatabaseError as problem:
        return Finding("database", _one_line(problem), "Start the database, or mend DATABASE_URL.")
    return Finding("database", f"answers ({connection.vendor})")


def _database_clock(now: Callable[[], datetime]) -> Finding:
    return _clock("database", clock.database_now() - now(), "the database's")


def _processes() -> Iterator[Finding]:
    """As /readyz and the pages tell it."""
    signs = heartbeats.liveness()
    if heartbeats.Role.BROKER in signs.down:
        yield Finding(
            "broker",
            "takes nothing from beat",
            "Mend it where beat runs: Redis, REDIS_URL or VAR_DIR there; beat's log says what fails.",
        )
    for role in heartbeats.PROCESSES:
        if role in signs.down:
            yield Finding(
                str(role), "gave no sign of life lately", "Start it; if it runs, its log says what it waits for."
            )
        elif role in signs.alive:
            yield Finding(str(role), "lives")
        else:
            yield Finding(str(role), "is silent while beat finds no broker", "Mend the broker first.")


def _storage() -> Finding:
    store, written = artifact_storage(), uuid4().bytes
    try:
        saved = store.save(f"doctor/{uuid4()}", ContentFile(written))
        try:
            with store.open(saved) as file:
                read = file.read()
        finally:
            store.delete(saved)
    except Exception as problem:  # S3's errors have no common base
        mend = "Let the portal write, read and delete in STORAGE_URL's folder or bucket."
        return Finding("storage", _one_line(problem), mend)
    if read != written:
        return Finding("storage", "gives back something else than was written", "Mend what STORAGE_URL names.")
    words = "artifacts can be written, read and deleted"
    if isinstance(store, FileSystemStorage):
        return _room("storage", words, Path(store.location))
    return Finding("storage", words)


def _spool() -> Finding:
    folder = Path(settings.SPOOL_DIR)
    probe = folder / f"doctor-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"doctor")
        probe.unlink()
    except OSError as problem:
        return Finding("spool", _one_line(problem), f"Make {folder} writable for the portal, or set VAR_DIR.")
    return _room("spool", "files on their way can be written", folder)


def _room(subject: str, words: str, folder: Path) -> Finding:
    """Well only if the largest file that may come has room."""
    free, largest = (size // 1_000_000 for size in (storage.free_bytes(folder), settings.ARTIFACT_MAX_BYTES))
    if free < largest:
        mend = f"Make room on the disk of {folder}: results that do not fit are lost when Cloudflare deletes them."
        return Finding(subject, f"{free} MB free, and a result may have {largest} MB", mend)
    return Finding(subject, f"{words}; {free} MB free")


def _broker() -> Finding:
    if wakeup.is_broker_reachable():
        return Finding("broker", "answers here")
    where = "Start Redis, or mend REDIS_URL" if settings.BROKER_URL.startswith("redis") else "Make VAR_DIR writable"
    return Finding("broker", "does not answer", f"{where}; until then beat finds all work, only later.")


def _mail() -> Finding:
    try:
        mailer = mailers["default"]
        mailer.open()
        mailer.close()
    except (OSError, ValueError) as problem:
        return Finding("mail", _one_line(problem), "Mend EMAIL_URL, or the mail server that it names.")
    backend = settings.MAILERS["default"]["BACKEND"].rpartition(".")[0].rpartition(".")[2]
    if backend == "smtp":
        return Finding("mail", "the mail server lets us in")
    mend = "Let EMAIL_URL name a mail server: as it is, nobody gets a mail." if settings.PRODUCTION else ""
    return Finding("mail", f"goes to: {backend}", mend)


def _untold() -> Iterator[Finding]:
    """Accounts of which a refusal would be told to nobody."""
    told = Exists(administrators_of(OuterRef("pk")))
    for account in Account.objects.active().exclude(told).order_by("name", "id"):
        yield Finding(
            "mail",
            f"nobody would be told that Cloudflare refuses {account.name}",
            "Give somebody with an address the right to administer it, or an address to who has that right.",
        )


# --- Cloudflare ---


def _upstream(now: Callable[[], datetime]) -> Iterator[Finding]:
    silent = Account.objects.without_credential()
    accounts = list(Account.objects.active().exclude(id__in=silent).select_related("credential").order_by("name", "id"))
    for name in silent.order_by("name").values_list("name", flat=True):
        yield Finding(f"account {name}", "has no credential with a value", "Enter one in the administration.")
    if not accounts:
        yield Finding("accounts", "none is in use", "Add an account and its credential in the administration.")
    for account in accounts:
        yield from _account(account, now)


def _account(account: Account, now: Callable[[], datetime]) -> Iterator[Finding]:
    subject = f"account {account.name}"
    try:
        with clients.client_for(account) as client:
            yield from _calls(subject, client, now)
    except NoCredential as problem:
        yield Finding(subject, problem.message, "Enter the credential anew in the administration.")


def _calls(subject: str, client: Client, now: Callable[[], datetime]) -> Iterator[Finding]:
    clock: list[timedelta] = []

    def list_commands() -> None:
        page = client.list_commands(1, 1)
        if page.date:
            clock.append(page.date - now())

    first = _try(subject, "lists commands", list_commands, READ)
    yield first
    if clock:
        yield _clock(subject, clock[0], "Cloudflare's")
    if first.words.startswith(_AWAY):
        return  # the others would only say so again
    yield _try(subject, "lists devices", lambda: client.list_devices(1, 1), READ)
    yield _try(subject, "reads the quota", client.quota, READ)
    yield _try(subject, "downloads results", partial(may_download, client), READ)
    yield _try(subject, "creates commands", client.check_create_permission, "Cloudflare DEX Write")


_AWAY = "not reached"


def _try(subject: str, words: str, call: Callable[[], object], permission: str) -> Finding:
    host = urlsplit(settings.UPSTREAM.url).hostname
    try:
        call()
    except NotNow as rest:
        return Finding(subject, f"{_AWAY}: {rest.message}", f"Ask again after {rest.until:%H:%M:%S} UTC.")
    except Throttled as problem:
        return Finding(subject, f"{_AWAY}: {problem.message}", "Wait until Cloudflare takes calls again: 5 minutes.")
    except Refused as problem:
        mend = f"Check the account's id, and give its token the permission: {permission}."
        return Finding(subject, f"may not: {words}. {problem.message}", mend)
    except NotSent as problem:
        return Finding(subject, f"{_AWAY}: {problem.message}", _on_the_way(host))
    except CloudflareError as problem:
        return Finding(
            subject, f"{words}: {problem.message}", f"Cloudflare's trouble, or not Cloudflare: is {host} right?"
        )
    return Finding(subject, words)


def _on_the_way(host: str | None) -> str:
    if settings.UPSTREAM.is_simulator:
        return "Nobody simulates Cloudflare there: start the portal (make run), or let SIMULATOR_URL name who does."
    return f"Check DNS, proxy and firewall on the way to {host}."


def _clock(subject: str, offset: timedelta, whose: str) -> Finding:
    seconds = round(offset.total_seconds())
    if abs(offset) <= CLOCK_MAY_BE_OFF:
        return Finding(subject, f"clock: {seconds:+d} s, by {whose}")
    which = "behind" if seconds > 0 else "ahead of"
    return Finding(
        subject,
        f"clock: ours is {abs(seconds)} s {which} {whose}",
        "Set this machine's clock by NTP (timedatectl).",
    )


def _one_line(problem: Exception) -> str:
    """Its words without line breaks, and without what is secret in them."""
    words = " ".join(str(problem).split()) or type(problem).__name__
    return redaction.scrub(words)[:300]
