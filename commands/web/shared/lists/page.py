"""A list of commands as the history, a person's, a device's and a run's page show it. Decides nothing it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from commands.access import Right
from commands.models import Command
from commands.queries.commands import GROUP_LABELS
from commands.queries.viewer_context import ViewerContext
from commands.web.shared import rows
from commands.web.shared.components import ALWAYS_COUNTED, Bar, ChipLink, Columns, Nothing, bar, capped
from commands.web.shared.rows import About

EVERY_LIVE, EVERY_IDLE = 3, 30  # seconds between two questions of the browser
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Where:
    """The address of a list: its path, the account, and what was picked there; `cursor` is the page's."""

    path: str
    account_id: UUID
    given: Mapping[str, str]
    cursor: UUID | None = None
    is_oldest_first: bool = False

    def url(self, **changes: str) -> str:
        """Without a cursor, unless one is among the changes; what is '' is left out."""
        query = {"account": str(self.account_id), **self.given, **changes}
        return f"{self.path}?{urlencode({name: value for name, value in query.items() if value})}"

    def at(self, cursor: UUID | None) -> str:
        return self.url(**{AFTER if self.is_oldest_first else BEFORE: str(cursor or "")})


@dataclass(frozen=True, slots=True)
class Listing:
    title: str
    count: str  # in words; '' where the chips count
    progress: tuple[int, int] | None  # how many of how many have ended
    chips: Sequence[ChipLink]
    rows: Sequence[rows.Row]
    columns: Columns
    bar: Bar | None
    nothing: Nothing
    poll_url: str
    every: int
    live: str
    next_url: str
    next_label: str
    first_url: str
    first_label: str


def build(
    place: ViewerContext,
    found: tuple[Sequence[Command], bool],
    *,
    where: Where,
    title: str,
    count: str,
    nothing: Nothing,
    now: datetime,
    chips: Sequence[ChipLink] = (),
    progress: tuple[int, int] | None = None,
    about: About = About.ANYTHING,
    is_one_run: bool = False,
) -> Listing:
    """`about`, `is_one_run`: what all rows have in common stands above them and is in no column."""
    commands, more = found
    shown = [rows.build(one, viewer=place.user, rights=place.rights, now=now, about=about) for one in commands]
    here = where.at(where.cursor)
    first, following = ("First", "Next") if where.is_oldest_first else ("Newest", "Older")
    may_act = Right.RUN in place.rights
    return Listing(
        title=title,
        count=count,
        progress=progress,
        chips=chips,
        rows=shown,
        columns=Columns(ticks=may_act, who=_WHO[about], asker=not is_one_run, ticket=not is_one_run),
        bar=bar(place, here),
        nothing=nothing,
        poll_url=f"{here}&{urlencode({'token': place.token})}",
        every=EVERY_LIVE if any(row.is_open for row in shown) else EVERY_IDLE,
        live=", ".join([count] if count else [f"{chip.count} {chip.label.lower()}" for chip in chips if chip.count]),
        next_url=where.at(commands[-1].id) if more else "",
        next_label=following,
        first_url=where.url() if where.cursor else "",
        first_label=first,
    )


_WHO = {About.ANYTHING: "Person and device", About.PERSON: "Device", About.DEVICE: "Person"}


def group_chips(where: Where, counts: Mapping[str, int], total: int) -> list[ChipLink]:
    """All, and each group of statuses that people ask for: a link to the list that its count counts."""
    current = where.given.get("group", "")
    shown = [key for key in counts if counts[key] or key in ALWAYS_COUNTED or key == current]
    groups = [_chip(GROUP_LABELS[key], counts[key], where, key, is_on=key == current) for key in shown]
    return [_chip("All", total, where, "", is_on=not current), *groups]


def _chip(label: str, count: int, where: Where, group: str, *, is_on: bool) -> ChipLink:
    url = replace(where, given={}).url(group=group)
    return ChipLink(label, capped(count), is_on, url, url)


def counted(count: int) -> str:
    """Such as "no command", "1 command", "1000+ commands"."""
    return {0: "no command", 1: "1 command"}.get(count, f"{capped(count)} commands")


def cursor_of(query: Mapping[str, str], name: str) -> UUID | None:
    try:
        return UUID(query.get(name, ""))
    except ValueError:
        return None
