"""Decision for each row of a listing: which command of ours it is, or that it is none of ours.

Pure: no model, no clock, no network. Each id among the rows gets exactly one decision, whatever the order of the rows
and however often they come. docs/matching.md explains the rules, with a worked example, and what a caller must ensure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from commands.rules.assignment import assign
from commands.rules.kinds import Kind, deadline
from commands.rules.listed_command import ListedCommand
from commands.rules.states import COMMAND_MOVES, REMOTE, Mover, Status, rank

SOUGHT = frozenset({Status.SENDING, Status.UNCERTAIN, Status.UNCONFIRMED})
"""A command of ours with one of these statuses and without an id is looked for in every listing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Times of a POST by our clock. If the end of the POST is unknown, the end of its lease counts."""

    claimed_at: datetime
    lease_until: datetime
    post_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ours:
    """Command of our record. An imported one is `started_elsewhere`."""

    id: UUID
    status: Status
    kind: str
    device_id: str
    registration_id: str = ""
    email: str = ""
    remote_id: str = ""
    started_elsewhere: bool = False
    sent: Sent | None = None
    adopted: bool = False  # the id came from a listing, as the only possible match

    def __post_init__(self) -> None:
        if self.is_sought and self.sent is None:
            raise ValueError(f"command {self.id} is looked for, so it needs the times of its dispatch")

    @property
    def is_sought(self) -> bool:
        return not self.started_elsewhere and not self.remote_id and self.status in SOUGHT


@dataclass(frozen=True, slots=True)
class Clock:
    """Time of a listing. `offset` is how much more Cloudflare's clock shows, and `doubt` how far that may be wrong."""

    now: datetime
    import_age: timedelta
    offset: timedelta = timedelta()
    doubt: timedelta = timedelta()
    before: timedelta = timedelta(minutes=2)
    after: timedelta = timedelta(minutes=5)


class LeaveReason(StrEnum):
    """Reason for not changing a row."""

    NO_NEWS = "no_news"
    GOES_BACK = "goes_back"
    STILL_SENDING = "still_sending"  # a command that the row can be is still being sent
    TOO_YOUNG = "too_young"  # younger than the settle window
    NO_TIME = "no_time"  # without a date, the age is unknown
    NOT_COMPLETE = "not_complete"  # only a complete listing imports
    TOO_LITTLE = "too_little"  # no id, no device, or an unknown kind


@dataclass(frozen=True, slots=True)
class _Decision:
    row: ListedCommand

    @property
    def remote_id(self) -> str:
        return self.row.id


@dataclass(frozen=True, slots=True)
class Advance(_Decision):
    """Move a command with a known id forward."""

    ours_id: UUID
    status: Status
    match_uncertain: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Adopt(_Decision):
    """Give the row's id to a command of ours, and move the command to `status` unless that is None."""

    ours_id: UUID
    status: Status | None
    match_uncertain: bool
    doubts: tuple[UUID, ...] = ()  # as in CastDoubt


@dataclass(frozen=True, slots=True)
class CastDoubt(_Decision):
    """Mark these commands as uncertain matches: each could have been this row, and took another as its only match."""

    ours_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class TakeOver(_Decision):
    """Give the id of an imported command to a command of ours, and merge the import. Always an uncertain match."""

    ours_id: UUID
    imported_id: UUID
    status: Status | None
    match_uncertain: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Import(_Decision):
    """Record the row as started elsewhere. As in Adopt, an unknown status of Cloudflare counts as running."""

    status: Status


@dataclass(frozen=True, slots=True)
class Ambiguous(_Decision):
    """Leave the row to the next listing: it could be any of these commands, but they were paired with other rows."""

    ours_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Note(_Decision):
    """Show the unknown status of a command with a known id, and move nothing."""

    ours_id: UUID


@dataclass(frozen=True, slots=True)
class LeaveAlone(_Decision):
    """Do nothing."""

    why: LeaveReason


type RemoteUpdate = Advance | Adopt | TakeOver
"""A decision that tells something new about one of our commands."""

type Decision = Advance | Adopt | CastDoubt | TakeOver | Import | Ambiguous | Note | LeaveAlone


def match(rows: Iterable[ListedCommand], ours: Iterable[Ours], clock: Clock, *, complete: bool) -> list[Decision]:
    """Return one decision for each id among the rows, in the order in which the ids first came.

    Only a `complete` listing, one that went to its last page, imports and takes over.
    """
    nameless, folded = _fold(rows)
    owners: dict[str, Ours] = {}
    sought: dict[tuple[str, str], list[Ours]] = defaultdict(list)  # both by machine and kind
    sure: dict[tuple[str, str], list[Ours]] = defaultdict(list)
    for command in ours:
        if command.remote_id:
            owners[command.remote_id] = command
        if command.is_sought:
            sought[command.device_id, command.kind].append(command)
        elif command.adopted and command.sent:
            sure[command.device_id, command.kind].append(command)
    machines: dict[tuple[str, str], list[ListedCommand]] = defaultdict(list)
    for row in folded.values():
        machines[row.device_id, row.kind].append(row)

    decided: dict[str, Decision] = {}
    for place, listed in machines.items():
        decided.update(_of_machine(listed, owners, sought[place], sure[place], clock, complete=complete))
    return [*nameless, *(decided[remote_id] for remote_id in folded)]


def _fold(rows: Iterable[ListedCommand]) -> tuple[list[LeaveAlone], dict[str, ListedCommand]]:
    """Return the decisions about rows without an id, and one row for each id."""
    nameless: list[LeaveAlone] = []
    folded: dict[str, ListedCommand] = {}
    for row in rows:
        if not row.id:
            nameless.append(LeaveAlone(row, LeaveReason.TOO_LITTLE))
        elif (seen := folded.get(row.id)) is not None:
            folded[row.id] = _merged(seen, row)
        else:
            folded[row.id] = row
    return nameless, folded


def _merged(one: ListedCommand, other: ListedCommand) -> ListedCommand:
    """Merge two rows with one id: the further status, and every value that one of them has, whatever their order."""
    return ListedCommand(
        id=one.id,
        kind=max(one.kind, other.kind),
        status=max(one, other, key=_progress).status,
        device_id=max(one.device_id, other.device_id),
        registration_id=max(one.registration_id, other.registration_id),
        user_email=max(one.user_email, other.user_email),
        created_date=min((at for at in (one.created_date, other.created_date) if at), default=None),
        completed_date=min((at for at in (one.completed_date, other.completed_date) if at), default=None),
        filename=max(one.filename, other.filename),
    )


def _progress(row: ListedCommand) -> tuple[bool, int, str]:
    known = _status(row)
    return known is not None, rank(known) if known else 0, row.status


RUNNING = Status.PENDING_EXEC  # for an unknown status, where it is the first that Cloudflare reports
_REMOTE_STATUSES = {status.value: status for status in REMOTE}


def _status(row: ListedCommand) -> Status | None:
    return _REMOTE_STATUSES.get(row.status)


def _may(source: Status, target: Status | None) -> bool:
    return target is not None and Mover.CLOUDFLARE in COMMAND_MOVES.get((source, target), ())


def _of_machine(
    rows: Sequence[ListedCommand],
    owners: Mapping[str, Ours],
    sought: Sequence[Ours],
    sure: Sequence[Ours],
    clock: Clock,
    *,
    complete: bool,
) -> Iterator[tuple[str, Decision]]:
    """Yield the decisions about the rows of one machine and kind."""
    unknown = [row for row in rows if row.id not in owners]
    imported = [row for row in rows if row.id in owners and owners[row.id].started_elsewhere]
    fits = {
        row.id: [command for command in sought if _fits(row, command, clock, margin=clock.doubt)]
        for row in (unknown + imported if sought else ())
    }
    doubts = {
        row.id: tuple(command.id for command in sure if _fits(row, command, clock, margin=-clock.doubt))
        for row in unknown
    }
    adoptions = _adoptions(unknown, imported, fits, doubts)
    mergers = _mergers(unknown, imported, fits, owners) if complete else {}
    for row in rows:
        owner = owners.get(row.id)
        if merger := mergers.get(row.id):
            yield row.id, merger
        elif owner is not None:
            yield row.id, _of_owner(row, owner)
        elif adoption := adoptions.get(row.id):
            yield row.id, adoption
        elif candidates := fits.get(row.id):
            yield row.id, _not_adopted(row, candidates)
        elif doubted := doubts.get(row.id):
            yield row.id, CastDoubt(row, doubted)
        else:
            yield row.id, _of_stranger(row, clock, complete=complete)


def _of_owner(row: ListedCommand, owner: Ours) -> Decision:
    status = _status(row)
    if status is None:
        return Note(row, owner.id)
    if status == owner.status:
        return LeaveAlone(row, LeaveReason.NO_NEWS)
    if _may(owner.status, status):
        return Advance(row, owner.id, status)
    # An unconfirmed command can only move to a final status.
    is_unconfirmed = owner.status is Status.UNCONFIRMED
    return LeaveAlone(row, LeaveReason.NO_NEWS if is_unconfirmed else LeaveReason.GOES_BACK)


def _not_adopted(row: ListedCommand, candidates: Sequence[Ours]) -> Decision:
    if _has_sending(candidates):
        return LeaveAlone(row, LeaveReason.STILL_SENDING)
    return Ambiguous(row, tuple(command.id for command in sorted(candidates, key=_claim_key)))


def _of_stranger(row: ListedCommand, clock: Clock, *, complete: bool) -> Decision:
    if not row.device_id or row.kind not in Kind:
        return LeaveAlone(row, LeaveReason.TOO_LITTLE)
    if not complete:
        return LeaveAlone(row, LeaveReason.NOT_COMPLETE)
    latest = row.created_date or row.completed_date  # the row was created no later than this
    if latest is None:
        return LeaveAlone(row, LeaveReason.NO_TIME)
    if clock.now + clock.offset - clock.doubt - latest <= clock.import_age:
        return LeaveAlone(row, LeaveReason.TOO_YOUNG)
    return Import(row, _status(row) or RUNNING)


def is_alike(row: ListedCommand, registration_id: str, email: str) -> bool:
    """Return whether registration and email allow that the row, of a command's machine and kind, is that command."""
    registrations = {row.registration_id, registration_id} - {""}
    return len(registrations) < 2 and len({row.user_email, email} - {""}) < 2


def _fits(row: ListedCommand, command: Ours, clock: Clock, *, margin: timedelta) -> bool:
    """Return whether the row can be this command of the same machine and kind. `margin` narrows the window."""
    if not is_alike(row, command.registration_id, command.email):
        return False
    assert command.sent is not None
    since = command.sent.claimed_at + clock.offset + margin - clock.before
    until = (command.sent.post_ended_at or command.sent.lease_until) + clock.offset - margin + clock.after
    if row.created_date is None:
        latest = until + deadline(Kind(row.kind), {})
        return row.completed_date is None or since <= row.completed_date <= latest
    return since <= row.created_date <= until


def _adoptions(
    unknown: Sequence[ListedCommand],
    imported: Sequence[ListedCommand],
    fits: Mapping[str, Sequence[Ours]],
    doubts: Mapping[str, tuple[UUID, ...]],
) -> dict[str, Adopt]:
    """Return, by remote id, the unknown rows that are commands of ours."""
    choices: dict[Ours, list[ListedCommand]] = defaultdict(list)  # rows that a command may take, oldest first
    rivals: dict[UUID, int] = defaultdict(int)  # number of rows that the command can be
    for row in sorted((*unknown, *imported), key=_age_key):
        for command in fits.get(row.id, ()):
            rivals[command.id] += 1
    for row in sorted(unknown, key=_age_key):
        candidates = fits.get(row.id, ())
        if _has_sending(candidates):
            continue
        for command in candidates:
            if row.created_date or command.status is not Status.UNCONFIRMED:
                choices[command].append(row)
    adoptions: dict[str, Adopt] = {}
    oldest_first = {command: choices[command] for command in sorted(choices, key=_claim_key)}
    for row, command in assign(oldest_first).items():
        doubted = doubts[row.id]
        only = rivals[command.id] == 1 and len(fits[row.id]) == 1 and not doubted
        adoptions[row.id] = Adopt(
            row,
            command.id,
            _moved(command, _status(row) or RUNNING),
            match_uncertain=not only or row.created_date is None,
            doubts=doubted,
        )
    return adoptions


def _mergers(
    unknown: Sequence[ListedCommand],
    imported: Sequence[ListedCommand],
    fits: Mapping[str, Sequence[Ours]],
    owners: Mapping[str, Ours],
) -> dict[str, TakeOver]:
    """Return, by remote id, the imported rows that are ours: only for commands that no unknown row fits."""
    free = {command.id for row in imported for command in fits.get(row.id, ())}
    free -= {command.id for row in unknown if row.created_date for command in fits.get(row.id, ())}
    mergers: dict[str, TakeOver] = {}
    for row in sorted(imported, key=_age_key):
        candidates = fits.get(row.id, ())
        takers = sorted((command for command in candidates if command.id in free and row.created_date), key=_claim_key)
        if not takers or _has_sending(candidates):
            continue
        taker, owner = takers[0], owners[row.id]
        free.remove(taker.id)
        reported = (owner.status, _status(row))
        furthest = max((status for status in reported if status in REMOTE), key=rank, default=RUNNING)
        mergers[row.id] = TakeOver(row, taker.id, owner.id, _moved(taker, furthest))
    return mergers


def _moved(command: Ours, status: Status | None) -> Status | None:
    return status if _may(command.status, status) else None


def _has_sending(candidates: Iterable[Ours]) -> bool:
    return any(command.status is Status.SENDING for command in candidates)


def _claim_key(command: Ours) -> tuple[datetime, UUID]:
    assert command.sent is not None
    return command.sent.claimed_at, command.id


_LAST = datetime.max.replace(tzinfo=UTC)


def _age_key(row: ListedCommand) -> tuple[datetime, str]:
    return row.created_date or _LAST, row.id
