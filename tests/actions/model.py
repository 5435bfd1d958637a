"""Model of Cloudflare in this process for `test_machine.py`, with a ledger, responses and flawed listings.

The model replaces `clients.client_for` and uses no network. It does only what docs/delivery.md allows Cloudflare to
do. A date is wrong by less than the slack before a claim. A late command lands within the slack after a POST. A
listing can be out of date, and can miss young commands, but never old ones. The ledger holds what no listing shows:
the options of each command. `tests/faults/compare.py` finds the owner of a command by its options.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import batched
from random import Random

from commands.actions.upstream import rate_limit
from commands.cloudflare.errors import (
    CloudflareError,
    NotSent,
    OutcomeUnknown,
    Refused,
    Rejected,
    ReportedFailure,
    Throttled,
)
from commands.cloudflare.types import Call, Created, CreateResult, Dialect, NewCommand, Page
from commands.models import Account
from commands.rules.listed_command import ListedCommand
from commands.rules.states import FINAL_REMOTE, Status

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MOST_SKEW = 60  # seconds by which Cloudflare's date of a command may be wrong: half of the slack before a claim
LATEST = 180  # seconds after the end of a POST in which it may still land
YOUNG = timedelta(minutes=20)  # a listing may miss commands up to this age
UPLOADS_AFTER, ENDS_AFTER = timedelta(minutes=8), timedelta(minutes=12)


class Fate(Enum):
    """Outcome of a POST."""

    ANSWERED = auto()
    ONE_NOT_NAMED = auto()  # the response lacks one of the commands
    ANSWER_LOST = auto()
    SOME_LANDED = auto()  # and the response is lost
    LANDED_LATE = auto()  # after the client gave up waiting
    NEVER_LANDED = auto()  # and no response
    NOT_SENT = auto()
    THROTTLED = auto()
    REFUSED = auto()
    REJECTED = auto()
    REJECTED_BUT_LANDED = auto()  # several commands only: docs/delivery.md promises nothing for a single one
    REPORTED_FAILURE = auto()  # an error in a response with status 200
    REPORTED_FAILURE_BUT_LANDED = auto()


PROMPT = frozenset({Fate.REPORTED_FAILURE_BUT_LANDED, Fate.REJECTED_BUT_LANDED})  # every listing shows these commands
LANDING = frozenset({Fate.ANSWERED, Fate.ONE_NOT_NAMED, Fate.ANSWER_LOST, Fate.SOME_LANDED}) | PROMPT

ERRORS: dict[Fate, CloudflareError] = {
    Fate.NOT_SENT: NotSent(Call.CREATE, "No connection."),
    Fate.THROTTLED: Throttled(Call.CREATE, "Too many calls.", status=429, retry_after=400),
    Fate.REFUSED: Refused(Call.CREATE, "Not allowed.", status=403),
    Fate.REJECTED: Rejected(Call.CREATE, "Not understood.", status=400),
    Fate.REJECTED_BUT_LANDED: Rejected(Call.CREATE, "Not understood.", status=400),
    Fate.REPORTED_FAILURE: ReportedFailure(Call.CREATE, "No.", status=200),
    Fate.REPORTED_FAILURE_BUT_LANDED: ReportedFailure(Call.CREATE, "No.", status=200),
}

LIST_ERRORS: Sequence[CloudflareError] = (
    OutcomeUnknown(Call.LIST, "Bad gateway.", status=502),
    NotSent(Call.LIST, "No connection."),
    Throttled(Call.LIST, "Too many calls.", status=429, retry_after=40),
    Refused(Call.LIST, "Not allowed.", status=403),
)

FLAWS = ("lose", "repeat", "shuffle", "go back", "unknown status", "no registration", "no email", "no date")


class WorkerDied(Exception):
    """Simulated death of a worker."""


def nothing() -> None:
    """Do nothing while a listing is read."""


@dataclass(frozen=True)
class Post:
    """Plan for the next POST. All numbers are seconds.

    The POST takes `seconds`. A late command lands `late` after its end. Cloudflare's date of it is wrong by `skew`.
    """

    fate: Fate = Fate.ANSWERED
    seconds: int = 0
    late: int = 0
    skew: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Listing:
    """Plan for the next listing.

    The `Date` headers of its responses are wrong by `date_off` seconds. `meanwhile` is called after the rows are
    chosen and before the portal reads them.
    """

    flaws: frozenset[str] = frozenset()
    lag: int = 0
    date_off: int = 0
    seed: int = 0
    error: CloudflareError | None = None
    meanwhile: Callable[[], object] = nothing


@dataclass
class Clock:
    """Clock that only a test moves, for workers and database. Cloudflare's clock has an offset from it."""

    now: datetime = START

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Entry:
    """Command in the ledger.

    `lands_at` is by our clock, `created_at` by Cloudflare's clock, with its skew. A forgotten entry is ours, but after
    a restore no row of the portal shows it. A silent entry never reports an end. Every listing shows a prompt entry.
    """

    id: str
    item: NewCommand
    lands_at: datetime
    created_at: datetime
    final: Status
    foreign: bool = False
    is_forgotten: bool = False
    is_silent: bool = False
    is_prompt: bool = False

    def status(self, now: datetime) -> Status:
        age = now - self.lands_at
        if age < UPLOADS_AFTER:
            return Status.PENDING_EXEC
        return Status.PENDING_UPLOAD if age < ENDS_AFTER or self.is_silent else self.final


@dataclass
class Cloudflare:
    """Cloudflare's side of the portal's calls. `post` and `listing` plan the next call only, later calls succeed."""

    clock: Clock
    offset: timedelta
    ledger: list[Entry] = field(default_factory=list)
    post: Post = Post()
    listing: Listing = Listing()
    is_well: bool = False

    @contextmanager
    def client_for(self, account: Account) -> Iterator["ModelClient"]:
        """Replace `clients.client_for`."""
        yield ModelClient(self, account)

    def heal(self) -> None:
        self.is_well = True
        for entry in self.ledger:
            entry.is_silent = False

    # --- POST ---

    def create(self, items: Sequence[NewCommand]) -> CreateResult:
        post, self.post = self.post, Post()
        chance = Random(post.seed)
        self.clock.forward(post.seconds / 2)
        landed = self._land_all(items, post, chance)
        self.clock.forward(post.seconds / 2)
        if post.fate is Fate.LANDED_LATE:
            for item in items:
                self.land(item, late=post.late, skew=post.skew)
        if error := ERRORS.get(post.fate):
            raise error
        if post.fate not in (Fate.ANSWERED, Fate.ONE_NOT_NAMED):
            raise OutcomeUnknown(Call.CREATE, "No answer.")
        named = chance.sample(landed, len(landed) - (post.fate is Fate.ONE_NOT_NAMED))
        return CreateResult(tuple(_named(entry) for entry in named), Dialect.LEGACY, self.clock.now + self.offset)

    def _land_all(self, items: Sequence[NewCommand], post: Post, chance: Random) -> list[Entry]:
        if post.fate not in LANDING or (post.fate is Fate.REJECTED_BUT_LANDED and len(items) == 1):
            return []
        landing = [item for item in items if post.fate is not Fate.SOME_LANDED or chance.random() < 0.5]
        return [self.land(item, skew=post.skew, prompt=post.fate in PROMPT) for item in landing]

    def land(
        self, item: NewCommand, *, late: int = 0, skew: int = 0, prompt: bool = False, foreign: bool = False
    ) -> Entry:
        number, at = len(self.ledger), self.clock.now + timedelta(seconds=late)
        entry = Entry(
            id=f"r{number}",
            item=item,
            lands_at=at,
            created_at=at + self.offset + timedelta(seconds=skew),
            final=Status.FAILED if number % 3 == 0 else Status.SUCCESS,
            foreign=foreign,
            is_silent=number % 5 == 4 and not self.is_well,
            is_prompt=prompt,
        )
        self.ledger.append(entry)
        return entry

    # --- listing ---

    def rows(self, listing: Listing, since: datetime | None) -> list[ListedCommand]:
        """Return the rows of a listing, newest first unless a flaw shuffles them."""
        chance, now = Random(listing.seed), self.clock.now
        rows: list[ListedCommand] = []
        for entry in sorted(self.ledger, key=lambda entry: (entry.created_at, entry.id), reverse=True):
            if entry.lands_at > now or (since and entry.created_at < since):
                continue
            may_be_missed = now - entry.lands_at < YOUNG and not entry.is_prompt
            is_behind = now - entry.lands_at < timedelta(seconds=listing.lag)
            is_lost = "lose" in listing.flaws and chance.random() < 0.4
            if may_be_missed and (is_behind or is_lost):
                continue
            for _ in range(2 if "repeat" in listing.flaws and chance.random() < 0.4 else 1):
                rows.append(_spoiled(entry, now, listing.flaws, chance))
        if "shuffle" in listing.flaws:
            chance.shuffle(rows)
        return rows


def _named(entry: Entry) -> Created:
    item = entry.item
    return Created(entry.id, item.kind, Status.PENDING_EXEC, item.device_id, item.registration_id)


def _spoiled(entry: Entry, now: datetime, flaws: frozenset[str], chance: Random) -> ListedCommand:
    item, status = entry.item, entry.status(now)
    row = ListedCommand(
        id=entry.id,
        kind=item.kind,
        status=status,
        device_id=item.device_id,
        registration_id=item.registration_id,
        user_email=item.user_email,
        created_date=entry.created_at,
        completed_date=entry.created_at + ENDS_AFTER if status in FINAL_REMOTE else None,
        filename="",
    )
    hit = {flaw for flaw in sorted(flaws) if chance.random() < 0.5}
    if "go back" in hit:
        row = replace(row, status=Status.PENDING_EXEC)
    if "unknown status" in hit:
        row = replace(row, status="HALTED")
    if "no registration" in hit:
        row = replace(row, registration_id="")
    if "no email" in hit:
        row = replace(row, user_email="")
    if "no date" in hit and now - entry.lands_at < YOUNG:
        row = replace(row, created_date=None)
    return row


class ModelClient:
    """Client with the calls that deliver and sync make. Any other call is an error."""

    def __init__(self, cloudflare: Cloudflare, account: Account) -> None:
        assert account.credential_id is not None
        self._cloudflare = cloudflare
        self._credential_id = account.credential_id

    def create(self, items: Sequence[NewCommand]) -> CreateResult:
        rate_limit.spend(self._credential_id, Call.CREATE)
        return self._cloudflare.create(items)

    def iter_commands(self, *, first: int = 1, per_page: int, from_: datetime | None) -> Iterator[Page[ListedCommand]]:
        cloudflare = self._cloudflare
        rate_limit.spend(self._credential_id, Call.LIST)
        listing, cloudflare.listing = cloudflare.listing, Listing()
        if listing.error:
            raise listing.error
        date = cloudflare.clock.now + cloudflare.offset + timedelta(seconds=listing.date_off)
        pages = [*batched(cloudflare.rows(listing, from_), per_page), ()]
        listing.meanwhile()
        for number, rows in enumerate(pages[first - 1 :] or [()], first):
            yield Page(number, rows, short=len(rows) < per_page, unreadable=0, date=date)
