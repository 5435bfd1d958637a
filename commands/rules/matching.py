"""Whose are the rows of a listing: the heart of "nothing lost, nothing doubled".

Owns the decision and nothing else: no model, no clock, no network; what follows from a decision is the actions'.
Each row (by Cloudflare's id) gets exactly one decision, whatever the order of the rows and however often they come.

What the caller owes:
- `ours` is read after the last page of the listing has arrived, and holds every command, started elsewhere too,
  whose id is among the rows, every command of ours that is looked for (`SOUGHT`, without an id), and every one
  that is `adopted`, of machines with a row that nobody owns;
- ids, emails and kinds are trimmed and lower case, absent is '';
- `now` is when the listing was begun, so that no row seems older than it is;
- `import_age` is the settle window, and longer than `before`.

How the plan's words are read where they leave a choice:
- A row without `created_date` cannot be excluded by its date. It was created no later than it was completed, so a
  completion before the window, or longer after it than the kind may take, excludes it, and one older than the settle
  window lets it be imported; with
  neither date it is never imported. Adopted, it always says "likely"; by an unconfirmed command, whose window is long
  over, it is not adopted: a listing that tells its date will come.
- A pairing was the only possible one when this row fits no other command and this command no other row.
- While it is in doubt what Cloudflare's clock shows, a command takes only what it could take by all that it may show;
  what that might cast doubt on is doubted.
- "Oldest with oldest" gives way only where it would leave a command without a row though there is one for each.
- A row that is left over when its commands are paired is ambiguous: left alone now, and a stranger in the next
  listing, since by then its commands have their ids.
- And in hindsight: a row that turns up later and fits a command that took another one as sure casts doubt on that
  pairing, which is "likely" from then on; the row is left alone now, and a stranger in the next listing.
- Nothing says whose a row without device or kind is, nor what one of a kind that we don't know would be: it is
  left alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from commands.rules.assignment import assigned
from commands.rules.kinds import Kind, deadline
from commands.rules.listed_command import ListedCommand
from commands.rules.states import COMMAND_MOVES, REMOTE, Mover, Status, rank

SOUGHT = frozenset({Status.SENDING, Status.UNCERTAIN, Status.UNCONFIRMED})
"""A command of ours in one of these and without an id is looked for in every listing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When a command was claimed and its POST ended, by our clock (None: nobody knows; the lease's end counts)."""

    claimed_at: datetime
    lease_until: datetime
    post_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ours:
    """One command of our record; `started_elsewhere`: one that was imported."""

    id: UUID
    status: Status
    kind: str
    device_id: str
    registration_id: str = ""
    email: str = ""
    remote_id: str = ""
    started_elsewhere: bool = False
    sent: Sent | None = None
    adopted: bool = False  # its id came from a listing and was the only possible one then

    def __post_init__(self) -> None:
        if self.is_sought and self.sent is None:
            raise ValueError(f"command {self.id} is looked for, so it needs the times of its dispatch")

    @property
    def is_sought(self) -> bool:
        return not self.started_elsewhere and not self.remote_id and self.status in SOUGHT


@dataclass(frozen=True, slots=True)
class Clock:
    """`offset` is what Cloudflare's clock shows more than ours, and `doubt` how far that may be wrong."""

    now: datetime
    import_age: timedelta
    offset: timedelta = timedelta()
    doubt: timedelta = timedelta()
    before: timedelta = timedelta(minutes=2)
    after: timedelta = timedelta(minutes=5)


class Why(StrEnum):
    """Why a row is left alone."""

    NO_NEWS = "it says what we know"
    GOES_BACK = "a status never goes back"
    STILL_SENDING = "a command that it could be is still being sent"
    TOO_YOUNG = "it is younger than the settle window"
    NO_TIME = "it bears no time, so nobody knows its age"
    NOT_COMPLETE = "only a complete listing imports"
    NOT_TELLING = "it has no id, no device or no kind that we know"


@dataclass(frozen=True, slots=True)
class _Decision:
    row: ListedCommand

    @property
    def remote_id(self) -> str:
        return self.row.id


@dataclass(frozen=True, slots=True)
class Advance(_Decision):
    """A command whose id we know goes forward."""

    ours_id: UUID
    status: Status
    match_uncertain: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Adopt(_Decision):
    """The row is that command of ours: attach the id. `status`: move it there too (None: it stays)."""

    ours_id: UUID
    status: Status | None
    match_uncertain: bool
    doubts: tuple[UUID, ...] = ()  # as in CastDoubt


@dataclass(frozen=True, slots=True)
class CastDoubt(_Decision):
    """It could have been any of these commands, which took other rows as sure: from now on they say "likely"."""

    ours_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class TakeOver(_Decision):
    """What was imported turns out to be ours: the id goes over, the import is merged. Always a likely pairing."""

    ours_id: UUID
    imported_id: UUID
    status: Status | None
    match_uncertain: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Import(_Decision):
    """Somebody else started it. As in Adopt, an unknown word of Cloudflare counts as running."""

    status: Status


@dataclass(frozen=True, slots=True)
class Ambiguous(_Decision):
    """It could be any of these commands, but other rows were paired with them."""

    ours_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Note(_Decision):
    """A command whose id we know has a status that we don't: it is shown and moves nothing."""

    ours_id: UUID


@dataclass(frozen=True, slots=True)
class LeaveAlone(_Decision):
    why: Why


type RemoteUpdate = Advance | Adopt | TakeOver
"""A decision that tells something new about one of our commands."""

type Decision = Advance | Adopt | CastDoubt | TakeOver | Import | Ambiguous | Note | LeaveAlone


def match(rows: Iterable[ListedCommand], ours: Iterable[Ours], clock: Clock, *, complete: bool) -> list[Decision]:
    """One decision for each id among the rows, in the order in which the ids first came.

    `complete`: the listing went to its end; only such a one imports and takes over.
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
    """(rows without an id, one row for each id)."""
    nameless: list[LeaveAlone] = []
    folded: dict[str, ListedCommand] = {}
    for row in rows:
        if not row.id:
            nameless.append(LeaveAlone(row, Why.NOT_TELLING))
        elif (seen := folded.get(row.id)) is not None:
            folded[row.id] = _merged(seen, row)
        else:
            folded[row.id] = row
    return nameless, folded


def _merged(one: ListedCommand, other: ListedCommand) -> ListedCommand:
    """Of two rows with one id: the further status, and what either of them has; the order does not matter."""
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


RUNNING = Status.PENDING_EXEC  # what a word that we don't know counts as, where it is the first that we hear
_BY_WORD = {status.value: status for status in REMOTE}


def _status(row: ListedCommand) -> Status | None:
    return _BY_WORD.get(row.status)


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
    """The decisions on the rows of one machine and kind."""
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
        return LeaveAlone(row, Why.NO_NEWS)
    if _may(owner.status, status):
        return Advance(row, owner.id, status)
    stays = owner.status is Status.UNCONFIRMED  # it has ended its deadline: only an end is news
    return LeaveAlone(row, Why.NO_NEWS if stays else Why.GOES_BACK)


def _not_adopted(row: ListedCommand, candidates: Sequence[Ours]) -> Decision:
    if _has_sending(candidates):
        return LeaveAlone(row, Why.STILL_SENDING)
    return Ambiguous(row, tuple(command.id for command in sorted(candidates, key=_claimed)))


def _of_stranger(row: ListedCommand, clock: Clock, *, complete: bool) -> Decision:
    if not row.device_id or row.kind not in Kind:
        return LeaveAlone(row, Why.NOT_TELLING)
    if not complete:
        return LeaveAlone(row, Why.NOT_COMPLETE)
    born_by = row.created_date or row.completed_date
    if born_by is None:
        return LeaveAlone(row, Why.NO_TIME)
    if clock.now + clock.offset - clock.doubt - born_by <= clock.import_age:
        return LeaveAlone(row, Why.TOO_YOUNG)
    return Import(row, _status(row) or RUNNING)


def is_alike(row: ListedCommand, registration_id: str, email: str) -> bool:
    """Whether the row, of the machine and kind of a command, is that command's by all that is not a time."""
    registrations = {row.registration_id, registration_id} - {""}
    return len(registrations) < 2 and len({row.user_email, email} - {""}) < 2


def _fits(row: ListedCommand, command: Ours, clock: Clock, *, margin: timedelta) -> bool:
    """Whether the row could be this command, of whose machine and kind it is; its window is narrower by `margin`."""
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
    """By remote id, the rows that are commands of ours."""
    choices: dict[Ours, list[ListedCommand]] = defaultdict(list)  # the rows that a command may take, oldest first
    rivals: dict[UUID, int] = defaultdict(int)  # how many rows it could be at all
    for row in sorted((*unknown, *imported), key=_born):
        for command in fits.get(row.id, ()):
            rivals[command.id] += 1
    for row in sorted(unknown, key=_born):
        candidates = fits.get(row.id, ())
        if _has_sending(candidates):
            continue
        for command in candidates:
            if row.created_date or command.status is not Status.UNCONFIRMED:
                choices[command].append(row)
    adoptions: dict[str, Adopt] = {}
    oldest_first = {command: choices[command] for command in sorted(choices, key=_claimed)}
    for row, command in assigned(oldest_first).items():
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
    """By remote id, what was imported and is ours: only for a command that no unknown row fits."""
    free = {command.id for row in imported for command in fits.get(row.id, ())}
    free -= {command.id for row in unknown if row.created_date for command in fits.get(row.id, ())}
    mergers: dict[str, TakeOver] = {}
    for row in sorted(imported, key=_born):
        candidates = fits.get(row.id, ())
        takers = sorted((command for command in candidates if command.id in free and row.created_date), key=_claimed)
        if not takers or _has_sending(candidates):
            continue
        taker, owner = takers[0], owners[row.id]
        free.remove(taker.id)
        told = (owner.status, _status(row))
        furthest = max((status for status in told if status in REMOTE), key=rank, default=RUNNING)
        mergers[row.id] = TakeOver(row, taker.id, owner.id, _moved(taker, furthest))
    return mergers


def _moved(command: Ours, status: Status | None) -> Status | None:
    return status if _may(command.status, status) else None


def _has_sending(candidates: Iterable[Ours]) -> bool:
    return any(command.status is Status.SENDING for command in candidates)


def _claimed(command: Ours) -> tuple[datetime, UUID]:
    assert command.sent is not None
    return command.sent.claimed_at, command.id


_LAST = datetime.max.replace(tzinfo=UTC)


def _born(row: ListedCommand) -> tuple[datetime, str]:
    return row.created_date or _LAST, row.id
