"""What does it cost to sync 1000 open commands: how many calls, and how long in the database?

The floor of the calls is the number of full pages. The database's part is the whole sync but for the listing and the
pure matching; its floor is one bulk UPDATE and one bulk INSERT of the same rows and Events (and files), in a
transaction, of objects that are made beforehand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from benchmarks import figures
from benchmarks.company import Company, company, event_of, now
from benchmarks.figures import median, milliseconds, row, timed, times_floor
from commands.actions.listing import schedule
from commands.actions.listing.schedule import Listing, Plan
from commands.actions.listing.sync import sync
from commands.actions.sending.deliver import deliver
from commands.actions.upstream import rate_limit
from commands.audit import EventType
from commands.models import AccountSync, Artifact, Command, Event
from commands.rules import matching
from commands.rules.ids import new_id
from commands.rules.matching import Clock, Decision, Ours, Row
from commands.rules.states import Status

COMMANDS = 1000
ROUNDS = 7
GOAL_RATIO = 2.0


def _sent(desk: Company, number: int) -> list[Command]:
    asked = desk.ask(number)
    while deliver(desk.account, now=now()):
        pass
    ids = [one.id for one in asked]
    assert not Command.objects.filter(id__in=ids, remote_id="").exists()
    _back(ids)
    return list(Command.objects.filter(id__in=ids).order_by("id"))


def _back(ids: Sequence[UUID], to: Status = Status.PENDING_EXEC) -> None:
    """As if Cloudflare had told nothing more: the machine's own verbs never go back."""
    Command.objects.filter(id__in=ids).update(status=to, remote_status=to, deadline_at=now() + timedelta(hours=1))


def _listed(desk: Company) -> tuple[Listing, int]:
    """A quick listing of all that is open, and how many calls it took."""
    account_row = AccountSync.objects.get(account=desk.account)
    plan = schedule.plan_listing(desk.account, account_row, now=now())
    assert isinstance(plan, Plan)
    assert not plan.complete
    with patch.object(rate_limit, "spend", wraps=rate_limit.spend) as spend:
        listing = schedule.read(desk.account, account_row, plan, now=now())
    return listing, spend.call_count


def _synced(desk: Company, listing: Listing) -> float:
    AccountSync.objects.filter(account=desk.account).update(due_at=now(), not_before=None)
    matched: list[float] = []

    def run() -> None:
        assert sync(desk.account, now=now())

    def match(rows: Iterable[Row], ours: Iterable[Ours], clock: Clock, *, complete: bool) -> list[Decision]:
        known = list(ours)  # read from the database
        with timed(matched):
            return pure(rows, known, clock, complete=complete)

    pure = matching.match
    with patch.object(schedule, "read", return_value=listing), patch.object(matching, "match", match):
        took = milliseconds(run)
    return took - sum(matched)


def _bare(commands: Sequence[Command], status: Status, *, files: bool) -> float:
    at, ids = now(), [one.id for one in commands]
    versions = dict(Command.objects.filter(id__in=ids).values_list("id", "version"))
    events = [
        event_of(one, EventType.MOVED, version=versions[one.id] + 1, from_status=one.status, to_status=status)
        for one in commands
    ]
    wanted = [
        Artifact(id=new_id(at), command=one, status_at=at, filename="a.zip", deleted_remotely_at=at) for one in commands
    ]

    def write() -> None:
        with transaction.atomic():
            rows = Command.objects.filter(id__in=ids)
            rows.update(status=status, status_at=at, remote_status=status, version=F("version") + 1)
            Event.objects.bulk_create(events, batch_size=500)
            if files:
                Artifact.objects.bulk_create(wanted, batch_size=500)

    return milliseconds(write)


def _moved(
    desk: Company, commands: Sequence[Command], listing: Listing, move: tuple[Status, Status], rounds: int
) -> tuple[float, float]:
    """Milliseconds of the sync that moves all of them, and of the bare statements."""
    source, target = move
    ids, files = [one.id for one in commands], target is Status.SUCCESS
    ended = now() if files else None
    told = tuple(replace(one, status=target.value, completed_date=ended) for one in listing.rows)
    ours, bare = [], []
    for _ in range(rounds + 1):
        _back(ids, source)
        Artifact.objects.filter(command_id__in=ids).delete()
        ours.append(_synced(desk, replace(listing, rows=told)))
        assert not Command.objects.filter(id__in=ids).exclude(status=target).exists()
        _back(ids, source)
        Artifact.objects.filter(command_id__in=ids).delete()
        bare.append(_bare(commands, target, files=files))
    return median(ours[1:]), median(bare[1:])


def measure(commands: int = COMMANDS, rounds: int = ROUNDS) -> list[figures.Row]:
    with company(commands) as desk:
        sent = _sent(desk, commands)
        AccountSync.objects.filter(account=desk.account).update(complete_at=now())
        listing, calls = _listed(desk)
        uploads = _moved(desk, sent, listing, (Status.PENDING_EXEC, Status.PENDING_UPLOAD), rounds)
        ends = _moved(desk, sent, listing, (Status.PENDING_UPLOAD, Status.SUCCESS), rounds)
    pages = -(-commands // settings.PAGE_SIZE)
    name = f"sync: {commands} open commands"
    return [
        row(f"{name}, calls", calls, "", floor=pages, goal=pages + 1),
        times_floor(f"{name} begin to upload, database", uploads[0], "ms", floor=uploads[1], goal=GOAL_RATIO),
        times_floor(f"{name} end well, database with files", ends[0], "ms", floor=ends[1], goal=GOAL_RATIO),
    ]
