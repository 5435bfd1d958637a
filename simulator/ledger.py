"""Ledger of all commands and of all POSTs received, with indexes for fast pages.

Tests compare a client with it. This module must not know HTTP or the JSON of the API.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter

from simulator.lifecycle import FAILED, PENDING_EXEC, PENDING_UPLOAD, SUCCESS, Options, Timeline, status_at
from simulator.world import Device

type Check = Callable[[Command], bool]

_created_at = attrgetter("created_at")
_kind = attrgetter("kind")
_device_id = attrgetter("device.device_id")
_email = attrgetter("device.person_email")


@dataclass(slots=True, eq=False)
class Command:
    """One command.

    A `foreign` command stands for one of a dashboard user: no POST created it, and its `post_id` is "".
    `fetched` has an entry for each download request: the kinds of the faults that hit it.
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
    """One POST that was received.

    `credential` is a label, never the secret. `outcome` is "not carried out", "created" or "refused".
    `answered`: the whole response was written before the client disconnected.
    """

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
    """Filters, order and page of a listing.

    None and "" do not filter. Commands created later than `hidden_after` are not listed yet.
    """

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
class _AccountIndex:
    """Commands of one account, in lists for each filter. Every list is sorted by `created_at`.

    `longest_duration` is the longest time from creation to end of any command in it.
    """

    by_time: list[Command] = field(default_factory=list)
    by_device: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    by_email: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    by_kind: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    by_outcome: dict[str, list[Command]] = field(default_factory=lambda: defaultdict(list))
    longest_duration: float = 0.0

    def lists_with(self, command: Command) -> tuple[list[Command], ...]:
        device = command.device
        return (
            self.by_time,
            self.by_device[device.device_id],
            self.by_email[device.person_email],
            self.by_kind[command.kind],
            self.by_outcome[command.timeline.outcome],
        )

    def all_lists(self) -> Iterator[list[Command]]:
        yield self.by_time
        yield from self.by_device.values()
        yield from self.by_email.values()
        yield from self.by_kind.values()
        yield from self.by_outcome.values()


class Ledger:
    """Commands of all accounts, and the POSTs by id."""

    def __init__(self) -> None:
        self._indexes: dict[str, _AccountIndex] = defaultdict(_AccountIndex)
        self._commands: dict[str, Command] = {}
        self.posts: dict[str, Post] = {}

    def __len__(self) -> int:
        return len(self._commands)

    def command(self, account_id: str, command_id: str) -> Command | None:
        command = self._commands.get(command_id)
        return command if command and command.device.account_id == account_id else None

    def commands(self) -> Iterable[Command]:
        """Return all commands in the order in which they were added."""
        return self._commands.values()

    def count(self, account_id: str) -> int:
        return len(self._indexes[account_id].by_time)

    def commands_of_device(self, account_id: str, device_id: str) -> list[Command]:
        return self._indexes[account_id].by_device.get(device_id, [])

    def add(self, command: Command) -> None:
        index = self._register(command)
        for rows in index.lists_with(command):
            # out of order after the clock was set back
            if rows and rows[-1].created_at > command.created_at:
                insort(rows, command, key=_created_at)
            else:
                rows.append(command)

    def load(self, commands: Iterable[Command]) -> None:
        """Add many commands of any age. Faster than `add`, because each list is sorted once, at the end."""
        used_indexes = []
        for command in commands:
            index = self._register(command)
            for rows in index.lists_with(command):
                rows.append(command)
            used_indexes.append(index)
        # once each, by identity, because a dataclass with lists has no hash
        for index in {id(index): index for index in used_indexes}.values():
            for rows in index.all_lists():
                rows.sort(key=_created_at)

    def _register(self, command: Command) -> _AccountIndex:
        self._commands[command.id] = command
        index = self._indexes[command.device.account_id]
        index.longest_duration = max(index.longest_duration, command.timeline.ends_at - command.created_at)
        return index

    def page(self, account_id: str, query: Query, now: float) -> list[Command]:
        """Return one page of a listing.

        Start from the shortest list that contains every matching command, cut it to the time range by bisection,
        then check the remaining filters row by row until the page is full.
        """
        index = self._indexes[account_id]
        if query.status in {SUCCESS, FAILED} and not (query.device_id or query.user_email or query.kind):
            return _page_of_ended(index, query, now)
        rows, checks = _shortest_list(index, query)
        low, high = _bounds(rows, query)
        if query.status in {PENDING_EXEC, PENDING_UPLOAD}:
            # a command older than the longest duration has ended
            low = max(low, bisect_left(rows, now - index.longest_duration, key=_created_at))
        span = range(high - 1, low - 1, -1) if query.newest_first else range(low, high)
        skip = (query.page - 1) * query.per_page
        if query.status:
            checks.append(_has_status(query.status, now))
        if not checks:
            return [rows[position] for position in span[skip : skip + query.per_page]]
        matching: Iterator[Command] = map(rows.__getitem__, span)
        for check in checks:
            matching = filter(check, matching)
        return list(islice(matching, skip, skip + query.per_page))


def _shortest_list(index: _AccountIndex, query: Query) -> tuple[list[Command], list[Check]]:
    """Return the shortest list that contains every matching command, and the checks that remain for its rows."""
    candidates = []
    if query.device_id:
        candidates.append((index.by_device, query.device_id, _device_id))
    if query.user_email:
        candidates.append((index.by_email, query.user_email, _email))
    if query.kind:
        candidates.append((index.by_kind, query.kind, _kind))
    if not candidates:
        return index.by_time, []
    candidates.sort(key=lambda candidate: len(candidate[0].get(candidate[1], [])))
    (lists, value, _), *others = candidates
    return lists.get(value, []), [_equals(read, expected) for _, expected, read in others]


def _page_of_ended(index: _AccountIndex, query: Query, now: float) -> list[Command]:
    """Return one page of a listing that filters by SUCCESS or FAILED only.

    The list by outcome also holds commands that will have this outcome, but are still running. Only those younger
    than the longest duration can be: the older part of the list (`head`) needs no check, whatever its length.
    """
    rows = index.by_outcome.get(query.status, [])
    low, high = _bounds(rows, query)
    border = min(high, max(low, bisect_left(rows, now - index.longest_duration, key=_created_at)))
    recent = [position for position in range(border, high) if rows[position].timeline.ends_at <= now]
    head: Sequence[int] = range(low, border)
    tail: Sequence[int] = recent
    if query.newest_first:
        head, tail = tail[::-1], head[::-1]
    start = (query.page - 1) * query.per_page
    stop = start + query.per_page
    positions = [*head[start:stop], *tail[max(0, start - len(head)) : max(0, stop - len(head))]]
    return [rows[position] for position in positions]


def _equals(read: Callable[[Command], object], expected: str) -> Check:
    return lambda row: read(row) == expected


def _has_status(status: str, now: float) -> Check:
    return lambda row: status_at(row.timeline, now) == status


def _bounds(rows: list[Command], query: Query) -> tuple[int, int]:
    """Return the bounds of the slice of `rows` that lies in the time range of the query."""
    after, before = (bisect_left, bisect_right) if query.inclusive else (bisect_right, bisect_left)
    low = 0 if query.since is None else after(rows, query.since, key=_created_at)
    high = len(rows) if query.until is None else before(rows, query.until, key=_created_at)
    if query.hidden_after is not None:
        high = min(high, bisect_right(rows, query.hidden_after, key=_created_at))
    return low, high
