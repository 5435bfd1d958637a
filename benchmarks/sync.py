"""Cost of syncing 1000 open commands: the number of calls, and the time in the database.

Floor of the calls: the number of full pages. The database time is the whole sync except the listing and the pure
matching. Its floor is one bulk UPDATE and one bulk INSERT of the same rows and Events (and files) in one transaction,
from objects that exist already.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from benchmarks import results
from benchmarks.fixtures import AccountSetup, account_setup, make_event, now
from benchmarks.results import median, milliseconds, result_row, result_row_by_ratio, timed
from commands.actions.listing import reader, schedule
from commands.actions.listing.reader import ListingResult
from commands.actions.listing.schedule import ListingRequest
from commands.actions.listing.sync import sync
from commands.actions.sending.deliver import deliver
from commands.actions.upstream import rate_limit
from commands.models import AccountSync, Artifact, Command, Event
from commands.rules import matching
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import Clock, Decision, Ours
from commands.rules.states import Status

COMMANDS = 1000
ROUNDS = 7
GOAL_RATIO = 2.0


def _send_commands(setup: AccountSetup, number: int) -> list[Command]:
    commands = setup.submit(number)
    while deliver(setup.account, now=now()):
        pass
    ids = [command.id for command in commands]
    assert not Command.objects.filter(id__in=ids, remote_id="").exists()
    _reset_status(ids)
    return list(Command.objects.filter(id__in=ids).order_by("id"))


def _reset_status(ids: Sequence[UUID], to: Status = Status.PENDING_EXEC) -> None:
    """Move the commands back to an earlier status, which the status writer itself never does."""
    Command.objects.filter(id__in=ids).update(status=to, remote_status=to, deadline_at=now() + timedelta(hours=1))


def _read_listing(setup: AccountSetup) -> tuple[ListingResult, int]:
    """Read a quick listing of all open commands, and count the calls."""
    account_row = AccountSync.objects.get(account=setup.account)
    request = schedule.plan_listing(setup.account, account_row, now=now())
    assert isinstance(request, ListingRequest)
    assert not request.complete
    with patch.object(rate_limit, "spend", wraps=rate_limit.spend) as spend:
        listing = reader.read(setup.account, account_row, request, now=now())
    return listing, spend.call_count


def _sync_milliseconds(setup: AccountSetup, listing: ListingResult) -> float:
    AccountSync.objects.filter(account=setup.account).update(due_at=now(), not_before=None)
    match_times: list[float] = []

    def run() -> None:
        assert sync(setup.account, now=now())

    def match(rows: Iterable[ListedCommand], ours: Iterable[Ours], clock: Clock, *, complete: bool) -> list[Decision]:
        commands = list(ours)  # runs the query outside the timed block
        with timed(match_times):
            return pure_match(rows, commands, clock, complete=complete)

    pure_match = matching.match
    with patch.object(reader, "read", return_value=listing), patch.object(matching, "match", match):
        duration = milliseconds(run)
    return duration - sum(match_times)


def _write_milliseconds(commands: Sequence[Command], status: Status, *, files: bool) -> float:
    at, ids = now(), [command.id for command in commands]
    versions = dict(Command.objects.filter(id__in=ids).values_list("id", "version"))
    events = [
        make_event(
            command, EventType.MOVED, version=versions[command.id] + 1, from_status=command.status, to_status=status
        )
        for command in commands
    ]
    artifacts = [
        Artifact(id=new_id(at), command=command, status_at=at, filename="a.zip", deleted_remotely_at=at)
        for command in commands
    ]

    def write() -> None:
        with transaction.atomic():
            rows = Command.objects.filter(id__in=ids)
            rows.update(status=status, status_at=at, remote_status=status, version=F("version") + 1)
            Event.objects.bulk_create(events, batch_size=500)
            if files:
                Artifact.objects.bulk_create(artifacts, batch_size=500)

    return milliseconds(write)


def _compare_move(
    setup: AccountSetup, commands: Sequence[Command], listing: ListingResult, move: tuple[Status, Status], rounds: int
) -> tuple[float, float]:
    """Return the median milliseconds of the sync that moves all commands, and of the bare statements."""
    source, target = move
    ids, files = [command.id for command in commands], target is Status.SUCCESS
    ended = now() if files else None
    rows = tuple(replace(row, status=target.value, completed_date=ended) for row in listing.rows)
    sync_times, write_times = [], []
    for _ in range(rounds + 1):
        _reset_status(ids, source)
        Artifact.objects.filter(command_id__in=ids).delete()
        sync_times.append(_sync_milliseconds(setup, replace(listing, rows=rows)))
        assert not Command.objects.filter(id__in=ids).exclude(status=target).exists()
        _reset_status(ids, source)
        Artifact.objects.filter(command_id__in=ids).delete()
        write_times.append(_write_milliseconds(commands, target, files=files))
    return median(sync_times[1:]), median(write_times[1:])


def measure(commands: int = COMMANDS, rounds: int = ROUNDS) -> list[results.ResultRow]:
    with account_setup(commands) as setup:
        sent = _send_commands(setup, commands)
        AccountSync.objects.filter(account=setup.account).update(complete_at=now())
        listing, calls = _read_listing(setup)
        uploads = _compare_move(setup, sent, listing, (Status.PENDING_EXEC, Status.PENDING_UPLOAD), rounds)
        ends = _compare_move(setup, sent, listing, (Status.PENDING_UPLOAD, Status.SUCCESS), rounds)
    pages = -(-commands // settings.PAGE_SIZE)
    name = f"sync: {commands} open commands"
    return [
        result_row(f"{name}, calls", calls, "", floor=pages, goal=pages + 1),
        result_row_by_ratio(f"{name} begin to upload, database", uploads[0], "ms", floor=uploads[1], goal=GOAL_RATIO),
        result_row_by_ratio(f"{name} end well, database with files", ends[0], "ms", floor=ends[1], goal=GOAL_RATIO),
    ]
