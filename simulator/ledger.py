"""Every command that was ever created and every POST that was received. The truth that tests compare a client with."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

from simulator.life import FAILED, PENDING_EXEC, PENDING_UPLOAD, SUCCESS, Options, Timeline, status_at
from simulator.world import Device

type Check = Callable[[Command], bool]

_by_time = attrgetter("created_at")
_kind = attrgetter("kind")
_device_id = attrgetter("device.device_id")
_email = attrgetter("device.person_email")


@dataclass(slots=True, eq=False)
class Command:
    """`foreign`: not created by a POST of the API; `post_id` is '' then.

    `fetched`: for each time that its file was asked for, the faults that hit the answer.
    """

    id: str
    device: Device
    kind: str
    options: Options
    created_at: float
    timeline: Timeline
    post_id: str = ""
    foreign: bool = False
    fetched: list[tuple[str, ...]] = field(default_factory=list)

    def status(self, now: float) -> str:
        return status_at(self.timeline, now)

    @property
    def filename(self) -> str:
        return f"{self.id}.zip"


@dataclass(slots=True, eq=False)
class Post:
    """`credential` is a label, never the secret. `outcome`: not carried out, created or refused.
    `answered`: the whole answer went out before the client left."""

    id: str
    account_id: str
    received_at: float
    credential: str = ""
    items: object = None
    outcome: str = "not carried out"
    faults: tuple[str, ...] = ()
    status_code: int | None = None
    answered: bool = False
    command_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Instants are None for open; '' is no filter. `hidden_after`: newer ones are not listed yet."""

    page: int
    per_page: int
    since: float | None = None
    until: float | None = None
    device_id: str = ""
    user_email: str = ""
    kind: str = ""
    status: str = ""
    hidden_after: float | None = None
    newest_first: bool = True
    inclusive: bool = True


@dataclass(slots=True)
class _Book:
    """The commands of one account, each list in the order of `created_at`."""

    by_time: list[Command] = field(default_factory=list)
    by_device: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    by_email: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    by_kind: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    by_outcome: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    longest: float = 0.0

    def lists_of(self, command: Command) -> tuple[list[Command], ...]:
        device = command.device
        return (
            self.by_time,
            self.by_device[device.device_id],
            self.by_email[device.person_email],
            self.by_kind[command.kind],
            self.by_outcome[command.timeline.outcome],
        )

    def every_list(self) -> Iterator[list[Command]]:
        yield self.by_time
        yield from self.by_device.values()
        yield from self.by_email.values()
        yield from self.by_kind.values()
        yield from self.by_outcome.values()


class Ledger:
    def __init__(self) -> None:
        self._books: dict[str, _Book] = defaultdict(_Book)
        self._commands: dict[str, Command] = {}
        self.posts: dict[str, Post] = {}

    def __len__(self) -> int:
        return len(self._commands)

    def command(self, account_id: str, command_id: str) -> Command | None:
        command = self._commands.get(command_id)
        return command if command and command.device.account_id == account_id else None

    def commands(self) -> Iterable[Command]:
        """In the order in which they came in."""
        return self._commands.values()

    def count(self, account_id: str) -> int:
        return len(self._books[account_id].by_time)

    def of_device(self, account_id: str, device_id: str) -> list[Command]:
        return self._books[account_id].by_device.get(device_id, [])

    def add(self, command: Command) -> None:
        book = self._enter(command)
        for rows in book.lists_of(command):
            if rows and rows[-1].created_at > command.created_at:
                insort(rows, command, key=_by_time)
            else:
                rows.append(command)

    def load(self, commands: Iterable[Command]) -> None:
        """Many at once, of any time: sorted once at the end."""
        books = []
        for command in commands:
            book = self._enter(command)
            for rows in book.lists_of(command):
                rows.append(command)
            books.append(book)
        for book in {id(book): book for book in books}.values():
            for rows in book.every_list():
                rows.sort(key=_by_time)

    def _enter(self, command: Command) -> _Book:
        self._commands[command.id] = command
        book = self._books[command.device.account_id]
        book.longest = max(book.longest, command.timeline.ends_at - command.created_at)
        return book

    def page(self, account_id: str, query: Query, now: float) -> list[Command]:
        book = self._books[account_id]
        if query.status in {SUCCESS, FAILED} and not (query.device_id or query.user_email or query.kind):
            return _ended(book, query, now)
        rows, checks = _narrowest(book, query)
        low, high = _bounds(rows, query)
        if query.status in {PENDING_EXEC, PENDING_UPLOAD}:  # none older than the longest life is still open
            low = max(low, bisect_left(rows, now - book.longest, key=_by_time))
        span = range(high - 1, low - 1, -1) if query.newest_first else range(low, high)
        skip = (query.page - 1) * query.per_page
        if query.status:
            checks.append(_has_status(query.status, now))
        if not checks:
            return [rows[index] for index in span[skip : skip + query.per_page]]
        found: Iterator[Command] = map(rows.__getitem__, span)
        for check in checks:
            found = filter(check, found)
        return list(islice(found, skip, skip + query.per_page))


def _narrowest(book: _Book, query: Query) -> tuple[list[Command], list[Check]]:
    """The shortest list that has every row that is wanted, and what is left to check in it."""
    asked = []
    if query.device_id:
        asked.append((book.by_device, query.device_id, _device_id))
    if query.user_email:
        asked.append((book.by_email, query.user_email, _email))
    if query.kind:
        asked.append((book.by_kind, query.kind, _kind))
    if not asked:
        return book.by_time, []
    asked.sort(key=lambda one: len(one[0].get(one[1], [])))
    (lists, value, _), *rest = asked
    return lists.get(value, []), [_equals(read, wanted) for _, wanted, read in rest]


def _ended(book: _Book, query: Query, now: float) -> list[Command]:
    """All with that outcome: only the youngest have to be looked at, for what is older has ended long ago."""
    rows = book.by_outcome.get(query.status, [])
    low, high = _bounds(rows, query)
    border = min(high, max(low, bisect_left(rows, now - book.longest, key=_by_time)))
    recent = [index for index in range(border, high) if rows[index].timeline.ends_at <= now]
    head: Sequence[int] = range(low, border)
    tail: Sequence[int] = recent
    if query.newest_first:
        head, tail = tail[::-1], head[::-1]
    start = (query.page - 1) * query.per_page
    stop = start + query.per_page
    chosen = [*head[start:stop], *tail[max(0, start - len(head)) : max(0, stop - len(head))]]
    return [rows[index] for index in chosen]


def _equals(read: Callable[[Command], object], wanted: str) -> Check:
    return lambda row: read(row) == wanted


def _has_status(status: str, now: float) -> Check:
    return lambda row: status_at(row.timeline, now) == status


def _bounds(rows: list[Command], query: Query) -> tuple[int, int]:
    """Which slice of `rows` lies in the asked time."""
    after, before = (bisect_left, bisect_right) if query.inclusive else (bisect_right, bisect_left)
    low = 0 if query.since is None else after(rows, query.since, key=_by_time)
    high = len(rows) if query.until is None else before(rows, query.until, key=_by_time)
    if query.hidden_after is not None:
        high = min(high, bisect_right(rows, query.hidden_after, key=_by_time))
    return low, high
