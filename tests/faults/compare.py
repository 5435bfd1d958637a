"""Comparison of requested commands, recorded commands and Cloudflare's ledger. Pure: rows in, findings out.

Each command of a fault run has options that no other command of its device and kind has, so that a ledger entry
identifies its command. The portal cannot see that, because a listing has no options. docs/proof.md defines the counts,
and explains when a twin is acceptable.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Protocol

from commands.rules.states import COMMAND_MOVES, FINAL_REMOTE, IN_FLIGHT, UNSENT, Mover, Status
from tests.faults.compare_files import FileRecord, UnloggedFailures, file_errors

STARTS = (Status.QUEUED, Status.AWAITING_APPROVAL, Status.WAITING_DEVICE)
SETTLE_LISTINGS = 3  # the value of the settings
MAX_CLOCK_OFFSET = timedelta(seconds=1)  # of Cloudflare's clock; runs are repeated only after a longer time


@dataclass(frozen=True, order=True)
class Tag:
    """Values that identify one command of ours: account, device, kind and options (as text)."""

    account: str
    device_id: str
    kind: str
    options: str


@dataclass(frozen=True)
class LedgerEntry:
    """Command in the simulator's ledger.

    `foreign`: none of our POSTs created it. `status`: its true final status. `fetched`: for each request of its file,
    the faults of the response.
    """

    id: str
    tag: Tag
    created_at: datetime
    foreign: bool
    status: str = Status.SUCCESS
    fetched: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class RecordedEvent:
    version: int
    at: datetime
    event: str
    mover: str
    from_status: str = ""
    to_status: str = ""


@dataclass(frozen=True)
class RecordedCommand:
    """Command in the portal's database. The order of the ids is the order of the requests.

    The ledger entry of its last POST was created between `created_from` and `created_until`.
    """

    id: str
    tag: Tag
    status: Status
    version: int
    remote_id: str = ""
    match_uncertain: bool = False
    started_elsewhere: bool = False
    is_merged: bool = False
    created_from: datetime | None = None
    created_until: datetime | None = None
    requested_at: datetime | None = None
    claimed_at: datetime | None = None  # time of the last claim
    missed_listings: int = 0  # complete listings after the lease that did not show the command
    closes_at: datetime | None = None  # end of the settle window without any listing
    run_id: str = ""
    file: FileRecord | None = None
    history: tuple[RecordedEvent, ...] = ()

    @property
    def in_flight_until(self) -> datetime | None:
        """Time when it left the in-flight statuses, or None if it was never in flight or still is."""
        in_flight = [event for event in self.history if event.to_status in IN_FLIGHT]
        # A claim or a restore moves a command to an in-flight status.
        sent = [event.version for event in in_flight if event.from_status not in IN_FLIGHT]
        ends = [event for event in self.history if sent and event.version > sent[-1] and event.to_status]
        return next((event.at for event in ends if event.to_status not in IN_FLIGHT), None)

    def could_own(self, entry: LedgerEntry) -> bool:
        """Return whether a listing row of this entry could be taken for this command's."""
        same = (entry.tag.account, entry.tag.device_id, entry.tag.kind) == (
            self.tag.account,
            self.tag.device_id,
            self.tag.kind,
        )
        return (
            same
            and self.created_from is not None
            and self.created_until is not None
            and self.created_from <= entry.created_at <= self.created_until
        )


@dataclass(frozen=True)
class UserActions:
    """Operations of people after their requests, and failures of downloads that the ledger does not show.

    `release_requested`: commands for which somebody pressed “send now”. `released`: those of them with a response.
    """

    withdrawn_runs: frozenset[str] = frozenset()
    release_requested: frozenset[str] = frozenset()
    released: frozenset[str] = frozenset()
    unlogged_failures: UnloggedFailures = field(default_factory=UnloggedFailures)


@dataclass
class Verdict:
    """Findings by the categories of docs/proof.md. `twins` is for information and does not fail a run."""

    commands: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.stuck, *self.wrong]

    @property
    def is_clean(self) -> bool:
        return not self.findings

    def summary(self) -> str:
        return f"{self.commands} commands: {len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.stuck)} stuck"


def compare(
    requested: Sequence[Tag],
    record: Sequence[RecordedCommand],
    ledger: Sequence[LedgerEntry],
    *,
    expected: int,
    imports_due: datetime,
    user_actions: UserActions = UserActions(),
) -> Verdict:
    """Compare all requested commands with the record and the ledger.

    `expected` is the number of commands to be requested. Foreign commands created before `imports_due` must be recorded
    by now.
    """
    verdict = Verdict(len(requested))
    if len(requested) != expected:
        verdict.wrong.append(f"{len(requested)} commands were requested, not {expected}")
    ours = _by_tag(sorted((row for row in record if not row.started_elsewhere), key=lambda row: row.id))
    own = _by_tag(entry for entry in ledger if not entry.foreign)
    owners = _owners(record, verdict)
    entries = {entry.id: entry for entry in ledger}
    for tag, times in Counter(requested).items():
        _check_count(tag, times, ours.get(tag, []), verdict)
        for row, own_entries in _assign_entries(ours.get(tag, []), own.get(tag, [])):
            _check_command(row, own_entries, owners, entries, verdict)
            _check_user_actions(row, user_actions, verdict)
            verdict.wrong += file_errors(
                row.id, row.status, row.file, entries.get(row.remote_id), user_actions.unlogged_failures
            )
    for tag in sorted(own.keys() - set(requested)):
        verdict.lost.append(f"not requested, but in the ledger: {tag}")
    for tag in sorted(ours.keys() - set(requested)):
        verdict.wrong.append(f"not requested, but recorded: {tag}")
    _check_foreign_commands(ledger, owners, imports_due, verdict)
    verdict.wrong += _find_overlaps(row for rows in ours.values() for row in rows)
    for row in record:
        verdict.wrong += [f"{row.id}: {error}" for error in history_errors(row)]
    return verdict


class _Tagged(Protocol):
    @property
    def tag(self) -> Tag: ...


def _by_tag[T: _Tagged](rows: Iterable[T]) -> dict[Tag, list[T]]:
    groups: dict[Tag, list[T]] = defaultdict(list)
    for row in rows:
        groups[row.tag].append(row)
    return groups


def _owners(record: Iterable[RecordedCommand], verdict: Verdict) -> dict[str, RecordedCommand]:
    owners: dict[str, RecordedCommand] = {}
    for row in record:
        if row.remote_id and (other := owners.setdefault(row.remote_id, row)) is not row:
            verdict.doubled.append(f"{row.id} and {other.id} both own {row.remote_id}")
    return owners


def _check_count(tag: Tag, times: int, rows: Sequence[RecordedCommand], verdict: Verdict) -> None:
    """Check that a command is recorded as often as it was requested. Running again requests it once more."""
    verdict.lost += [f"requested, but not recorded: {tag}"] * (times - len(rows))
    if len(rows) > times:
        verdict.doubled.append(f"requested {times} times, but recorded as {[row.id for row in rows]}")


def _assign_entries(
    rows: Sequence[RecordedCommand], entries: Sequence[LedgerEntry]
) -> Iterator[tuple[RecordedCommand, list[LedgerEntry]]]:
    """Assign to each command the ledger entries created before the same command was requested again."""
    unassigned = sorted(entries, key=lambda entry: entry.created_at)
    for row, later in zip_longest(rows, rows[1:]):
        next_request = later.requested_at if later else None
        own_entries = [
            entry for entry in unassigned if next_request is None or entry.created_at < next_request - MAX_CLOCK_OFFSET
        ]
        unassigned = unassigned[len(own_entries) :]
        yield row, own_entries


def _check_command(
    row: RecordedCommand,
    entries: Sequence[LedgerEntry],
    owners: Mapping[str, RecordedCommand],
    ledger: Mapping[str, LedgerEntry],
    verdict: Verdict,
) -> None:
    if row.status in IN_FLIGHT | UNSENT:
        verdict.stuck.append(f"{row.id} is {row.status}")
    if len(entries) > 1:
        verdict.doubled.append(f"{row.id} was executed {len(entries)} times: {[entry.id for entry in entries]}")
    for entry in entries:
        _check_entry(entry, row, owners.get(entry.id), ledger, verdict)
    if not entries and row.remote_id:
        _check_foreign_entry(row, ledger.get(row.remote_id), verdict)
    owned = ledger.get(row.remote_id)
    if owned and row.status in FINAL_REMOTE and row.status != owned.status:
        verdict.lost.append(f"{row.id} ended as {row.status}, but its entry {owned.id} as {owned.status}")


def _check_user_actions(row: RecordedCommand, user_actions: UserActions, verdict: Verdict) -> None:
    """Check that no command was withdrawn or released without a request, and that releases are in the history."""
    if row.status is Status.WITHDRAWN and row.run_id not in user_actions.withdrawn_runs:
        verdict.wrong.append(f"{row.id} is withdrawn, but nobody withdrew its run {row.run_id}")
    was_released = any(event.event == "send_now" for event in row.history)
    if was_released and row.id not in user_actions.release_requested:
        verdict.wrong.append(f"{row.id} was released, but nobody requested “send now”")
    if row.id in user_actions.released and not was_released and row.status not in (Status.EXPIRED, Status.WITHDRAWN):
        verdict.wrong.append(f"{row.id} is {row.status}, and its history does not show the requested “send now”")


def _check_entry(
    entry: LedgerEntry,
    row: RecordedCommand,
    owner: RecordedCommand | None,
    ledger: Mapping[str, LedgerEntry],
    verdict: Verdict,
) -> None:
    """Check one entry of our own against its command, and against the command that owns it in the record."""
    if owner is row:
        if row.status not in FINAL_REMOTE and row.status not in IN_FLIGHT:
            verdict.lost.append(f"{row.id} is {row.status}, but owns {entry.id} of the ledger")
        return
    owned = ledger.get(row.remote_id)
    if owner is None:
        verdict.lost.append(f"{row.id} is {row.status}, and no command owns its entry {entry.id}")
    elif owned is None or not row.could_own(owned):
        verdict.lost.append(f"{row.id} is {row.status}, and {owner.id} owns its entry {entry.id}")
    elif not row.match_uncertain:
        verdict.wrong.append(f"{row.id} owns {owned.id} instead of its own {entry.id}, and is not marked uncertain")
    else:
        verdict.twins.append(f"{row.id} owns the twin {owned.id}, and {owner.id} owns its entry {entry.id}")


def _check_foreign_entry(row: RecordedCommand, owned: LedgerEntry | None, verdict: Verdict) -> None:
    """Check the entry that is owned by a command without an entry of its own."""
    if owned is None or not row.could_own(owned):
        verdict.wrong.append(f"{row.id} never landed, but owns {row.remote_id}, which could not be its own")
    else:
        certainty = "marked uncertain" if row.match_uncertain else "the only candidate"
        verdict.twins.append(f"{row.id} never landed, but owns the foreign entry {owned.id} ({certainty})")


def _check_foreign_commands(
    ledger: Iterable[LedgerEntry], owners: Mapping[str, RecordedCommand], imports_due: datetime, verdict: Verdict
) -> None:
    """Check that commands started elsewhere are recorded with their true final status."""
    for entry in ledger:
        owner = owners.get(entry.id)
        if owner is None:
            if entry.foreign and entry.created_at < imports_due:
                verdict.wrong.append(f"foreign command not recorded: {entry.id}, created at {entry.created_at}")
        elif owner.started_elsewhere and owner.status in FINAL_REMOTE and owner.status != entry.status:
            verdict.wrong.append(
                f"foreign command {entry.id} ended as {entry.status}, but is recorded as {owner.status}"
            )


def _find_overlaps(rows: Iterable[RecordedCommand]) -> list[str]:
    """Find commands that were claimed while another one of the same kind was in flight on the device."""
    claims_by_device: dict[tuple[str, str, str], list[tuple[datetime, RecordedCommand]]] = defaultdict(list)
    for row in rows:
        if row.claimed_at is not None:
            claims_by_device[row.tag.account, row.tag.device_id, row.tag.kind].append((row.claimed_at, row))
    overlaps = []
    for claims in claims_by_device.values():
        for (_, row), (claimed_at, later) in pairwise(sorted(claims, key=lambda claim: claim[0])):
            if row.in_flight_until is None or claimed_at < row.in_flight_until:
                until = f" until {row.in_flight_until}" if row.in_flight_until else ""
                overlaps.append(
                    f"{later.id} was claimed at {claimed_at}, while {row.id} was in flight on the device{until}"
                )
    return overlaps


def _given_up_at(events: Iterable[RecordedEvent]) -> datetime | None:
    """Return when the settle window of an uncertain command was closed."""
    ends = (Status.UNCONFIRMED, Status.REJECTED)
    closed = [event for event in events if event.from_status == Status.UNCERTAIN and event.to_status in ends]
    return next((event.at for event in closed if event.mover == "portal"), None)


def _gave_up_too_soon(row: RecordedCommand, given_up_at: datetime) -> bool:
    return row.missed_listings < SETTLE_LISTINGS and (row.closes_at is None or given_up_at < row.closes_at)


def history_errors(row: RecordedCommand) -> list[str]:
    """Check versions without gaps, allowed transitions, each from the status before, and times in order."""
    events = sorted(row.history, key=lambda event: event.version)
    errors = []
    if [event.version for event in events] != list(range(1, row.version + 1)):
        errors.append(f"its version is {row.version}, its Events have versions {[event.version for event in events]}")
    status = ""
    for number, event in enumerate(events):
        if not number:
            if not row.started_elsewhere and event.to_status not in STARTS:
                errors.append(f"starts as {event.to_status or event.event}")
            status = event.to_status
        elif event.to_status:
            movers = COMMAND_MOVES.get((Status(event.from_status), Status(event.to_status)), frozenset[Mover]())
            if event.from_status != status or event.mover not in movers:
                errors.append(f"is {status}, then moves from {event.from_status} to {event.to_status} by {event.mover}")
            status = event.to_status
    if (given_up_at := _given_up_at(events)) and _gave_up_too_soon(row, given_up_at):
        errors.append(f"given up after only {row.missed_listings} complete listings without it")
    if events and status != row.status:
        errors.append(f"is {row.status}, but its Events end at {status}")
    errors += [
        f"version {later.version} ({later.event} {later.to_status}) is {earlier.at - later.at} before its predecessor"
        for earlier, later in pairwise(events)
        if later.at < earlier.at
    ]
    return errors
