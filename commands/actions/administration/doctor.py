"""Checks of everything that dexportal needs, for `manage.py doctor`. Each result is one line and says how to fix it.

Must change nothing but its own probe files, and show no secret. The only POST to Cloudflare carries no command: it
tests if commands may be created, and creates none.
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
from commands.rules.wording.pauses import describe_pause
from commands.storage import artifact_storage

MAX_CLOCK_OFFSET = timedelta(seconds=30)
READ = "Cloudflare DEX Read (or Write), Zero Trust Read or Zero Trust Report"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one check, for the command line.

    Attributes:
        advice: how to fix it. '' if the check passed.
        is_unreachable: no call reached Cloudflare, so that further calls would fail in the same way.
    """

    subject: str
    message: str
    advice: str = ""
    is_unreachable: bool = False

    @property
    def is_ok(self) -> bool:
        return not self.advice


def examine(*, now: Callable[[], datetime]) -> Iterator[CheckResult]:
    """Run all checks, one after the other. A failed one stops no other, except that most need the database."""
    database = _database()
    yield database
    yield _storage()
    yield _spool()
    yield _broker()
    yield _mail_server()
    if database.is_ok:
        yield _database_clock(now)
        yield from _processes()
        yield from _upstream(now)
        yield from _recipients()


def _database() -> CheckResult:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not schema.is_migrated():
            return CheckResult("database", "responds, but migrations are missing", "Run manage.py migrate.")
    except DatabaseError as problem:
        return CheckResult("database", _one_line(problem), "Start the database, or fix DATABASE_URL.")
    return CheckResult("database", f"responds ({connection.vendor})")


def _database_clock(now: Callable[[], datetime]) -> CheckResult:
    return _clock("database", clock.database_now() - now(), "the database's")


def _processes() -> Iterator[CheckResult]:
    """Check beat, the workers and the broker by their heartbeats, as /readyz and the pages do."""
    liveness = heartbeats.liveness()
    if heartbeats.Role.BROKER in liveness.down:
        yield CheckResult(
            "broker",
            "accepts no message from beat",
            "Fix Redis, REDIS_URL or VAR_DIR on the machine of beat. The log of beat says what fails.",
        )
    for role in heartbeats.PROCESSES:
        if role in liveness.down:
            yield CheckResult(str(role), "not responding", "Start it. If it is running, see its log.")
        elif role in liveness.alive:
            yield CheckResult(str(role), "running")
        else:
            yield CheckResult(str(role), "silent while beat can't reach the broker", "Fix the broker first.")


def _storage() -> CheckResult:
    store, written = artifact_storage(), uuid4().bytes
    try:
        saved = store.save(f"doctor/{uuid4()}", ContentFile(written))
        try:
            with store.open(saved) as file:
                read = file.read()
        finally:
            store.delete(saved)
    except Exception as problem:  # S3's errors have no common base
        advice = "Allow dexportal to write, read and delete in the folder or bucket of STORAGE_URL."
        return CheckResult("storage", _one_line(problem), advice)
    if read != written:
        return CheckResult(
            "storage", "returns other bytes than were written", "Fix the storage that STORAGE_URL names."
        )
    message = "artifacts can be written, read and deleted"
    if isinstance(store, FileSystemStorage):
        return _free_space("storage", message, Path(store.location))
    return CheckResult("storage", message)


def _spool() -> CheckResult:
    folder = Path(settings.SPOOL_DIR)
    probe = folder / f"doctor-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"doctor")
        probe.unlink()
    except OSError as problem:
        return CheckResult("spool", _one_line(problem), f"Make {folder} writable for dexportal, or set VAR_DIR.")
    return _free_space("spool", "downloads can be written", folder)


def _free_space(subject: str, message: str, folder: Path) -> CheckResult:
    """Check that the largest possible result fits on the disk."""
    free, largest = (size // 1_000_000 for size in (storage.free_bytes(folder), settings.ARTIFACT_MAX_BYTES))
    if free < largest:
        advice = f"Free space on the disk of {folder}. Results that don't fit are lost when Cloudflare deletes them."
        return CheckResult(subject, f"{free} MB free, and a result can have {largest} MB", advice)
    return CheckResult(subject, f"{message}, {free} MB free")


def _broker() -> CheckResult:
    if wakeup.is_broker_reachable():
        return CheckResult("broker", "responds")
    is_redis = settings.BROKER_URL.startswith("redis")
    advice = "Start Redis, or fix REDIS_URL." if is_redis else "Make VAR_DIR writable."
    return CheckResult("broker", "does not respond", f"{advice} Until then beat finds all work, a few seconds later.")


def _mail_server() -> CheckResult:
    try:
        mailer = mailers["default"]
        mailer.open()
        mailer.close()
    except (OSError, ValueError) as problem:
        return CheckResult("email", _one_line(problem), "Fix EMAIL_URL, or the mail server that it names.")
    backend = settings.MAILERS["default"]["BACKEND"].rpartition(".")[0].rpartition(".")[2]
    if backend == "smtp":
        return CheckResult("email", "the mail server accepts our sign-in")
    advice = "Set EMAIL_URL to a mail server. Now nobody gets any email." if settings.PRODUCTION else ""
    return CheckResult("email", f"prints to: {backend}", advice)


def _recipients() -> Iterator[CheckResult]:
    """Check that somebody would be notified of a refusal, for each active account."""
    has_recipient = Exists(administrators_of(OuterRef("pk")))
    for account in Account.objects.active().exclude(has_recipient).order_by("name", "id"):
        yield CheckResult(
            "email",
            f"nobody would be notified if Cloudflare refused {account.name}",
            "Make somebody with an email address an administrator of it, or give an administrator an email address.",
        )


# --- Cloudflare ---


def _upstream(now: Callable[[], datetime]) -> Iterator[CheckResult]:
    silent = Account.objects.without_credential()
    accounts = list(Account.objects.active().exclude(id__in=silent).select_related("credential").order_by("name", "id"))
    for name in silent.order_by("name").values_list("name", flat=True):
        yield CheckResult(f"account {name}", "has no credential with a value", "Enter one in the administration.")
    if not accounts:
        yield CheckResult("accounts", "none is active", "Add an account and its credential in the administration.")
    for account in accounts:
        yield from _account(account, now)


def _account(account: Account, now: Callable[[], datetime]) -> Iterator[CheckResult]:
    subject = f"account {account.name}"
    try:
        with clients.client_for(account) as client:
            yield from _calls(subject, client, now)
    except NoCredential as problem:
        message = describe_pause(problem.reason_code)
        yield CheckResult(subject, message, "Enter the credential again in the administration.")


def _calls(subject: str, client: Client, now: Callable[[], datetime]) -> Iterator[CheckResult]:
    """Make one harmless call of each sort. The only POST carries no command."""
    clock: list[timedelta] = []

    def list_commands() -> None:
        page = client.list_commands(1, 1)
        if page.date:
            clock.append(page.date - now())

    first = _try(subject, "list commands", list_commands, READ)
    yield first
    if clock:
        yield _clock(subject, clock[0], "Cloudflare's")
    if first.is_unreachable:
        return
    yield _try(subject, "list devices", lambda: client.list_devices(1, 1), READ)
    yield _try(subject, "read the quota", client.quota, READ)
    yield _try(subject, "download results", partial(may_download, client), READ)
    yield _try(subject, "create commands", client.check_create_permission, "Cloudflare DEX Write")


def _try(subject: str, action: str, call: Callable[[], object], permission: str) -> CheckResult:
    try:
        call()
    except NotNow as wait:
        reason = describe_pause(wait.reason_code, wait.remote_message)
        advice = f"Try again after {wait.until:%H:%M:%S} UTC."
        return CheckResult(subject, f"not reached: {reason}", advice, is_unreachable=True)
    except Throttled as problem:
        advice = "Wait 5 minutes, until Cloudflare accepts calls again."
        return CheckResult(subject, f"not reached: {problem.message}", advice, is_unreachable=True)
    except CloudflareError as problem:
        return _problem(subject, action, permission, problem)
    return CheckResult(subject, f"can {action}")


def _problem(subject: str, action: str, permission: str, problem: CloudflareError) -> CheckResult:
    host = urlsplit(settings.UPSTREAM.url).hostname
    if problem.names_credential and problem.status not in (401, 403):
        advice = "Enter the account's token or key again: Cloudflare can't read it."
        return CheckResult(subject, f"can't {action}: {problem.message}", advice)
    if isinstance(problem, Refused):
        advice = f"Check the account's id, and give its token the permission: {permission}."
        return CheckResult(subject, f"can't {action}: {problem.message}", advice)
    if isinstance(problem, NotSent):
        return CheckResult(subject, f"not reached: {problem.message}", _network_advice(host), is_unreachable=True)
    advice = f"Cloudflare has a problem, or {host} is the wrong host."
    return CheckResult(subject, f"{action}: {problem.message}", advice)


def _network_advice(host: str | None) -> str:
    if settings.UPSTREAM.is_simulator:
        return "No simulator is running there. Start dexportal (make run), or set SIMULATOR_URL."
    return f"Check DNS, proxy and firewall on the way to {host}."


def _clock(subject: str, offset: timedelta, whose: str) -> CheckResult:
    seconds = round(offset.total_seconds())
    if abs(offset) <= MAX_CLOCK_OFFSET:
        return CheckResult(subject, f"clock: {seconds:+d} s, by {whose}")
    which = "behind" if seconds > 0 else "ahead of"
    return CheckResult(
        subject,
        f"clock: ours is {abs(seconds)} s {which} {whose}",
        "Set this machine's clock by NTP (timedatectl).",
    )


def _one_line(problem: Exception) -> str:
    """Return the message of an error without line breaks and without secrets."""
    message = " ".join(str(problem).split()) or type(problem).__name__
    return redaction.scrub(message)[:300]
