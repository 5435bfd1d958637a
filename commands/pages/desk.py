"""The desk: the table with its filters. Templates receive these and decide nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from commands.access import Right
from commands.kinds import SPECS, Kind
from commands.models import Command
from commands.pages import rows
from commands.queries.commands import COUNT_STOPS_AT, GROUPS, Filter
from commands.queries.place import Place

MINE, EVERYONE = "mine", "everyone"
WEEK, ALL_TIME = "7", "all"
_WEEK = timedelta(days=7)
_EVERY_OPEN, _EVERY_IDLE = 3, 30  # seconds between two questions of the browser


@dataclass(frozen=True, slots=True)
class View:
    """What the address says is to be shown. Unknown words are the default's."""

    asked: str
    group: str
    kind: str
    days: str
    before: UUID | None = None

    @classmethod
    def of(cls, query: Mapping[str, str], place: Place) -> "View":
        asked = query.get("asked", "")
        default = MINE if Right.RUN in place.rights else EVERYONE
        group, kind, days = query.get("group", ""), query.get("kind", ""), query.get("days", "")
        return cls(
            asked=asked if asked in (MINE, EVERYONE) else default,
            group=group if group in GROUPS else "",
            kind=kind if kind in set(Kind) else "",
            days=days if days in (WEEK, ALL_TIME) else WEEK,
            before=_uuid(query.get("before", "")),
        )

    def filter(self, place: Place, *, now: datetime) -> Filter:
        return Filter(
            account_id=place.account.id,
            asked_by=place.user.pk if self.asked == MINE else None,
            group=self.group,
            kind=Kind(self.kind) if self.kind else None,
            since=now - _WEEK if self.days == WEEK else None,
        )

    def showing(self, kinds: Collection[Kind]) -> "View":
        """The same without what would hide rows of these kinds that were asked for just now."""
        return replace(
            self,
            group=self.group if self.group == "open" else "",
            kind=self.kind if set(kinds) == {self.kind} else "",
            before=None,
        )

    def url(self, account_id: UUID) -> str:
        return f"{reverse('desk')}?{self.query(account_id)}"

    def counted(self, place: Place, *, now: datetime) -> list[Filter]:
        """What the chips count: each group, within the rest of the view."""
        return [replace(self, group=group).filter(place, now=now) for group in COUNTED]

    def query(self, account_id: UUID, **extra: str) -> str:
        given = {"account": str(account_id), "asked": self.asked, "group": self.group, "kind": self.kind}
        given |= {"days": self.days, "before": str(self.before or ""), **extra}
        return urlencode({name: value for name, value in given.items() if value})


COUNTED = ("open", "done", "failed")
_GROUP_LABELS = {"open": "Open", "done": "Done", "failed": "Failed"}


@dataclass(frozen=True, slots=True)
class ChipLink:
    """A filter that is on or off; `url` is the page's, `table_url` the table's alone."""

    label: str
    count: str
    is_on: bool
    url: str
    table_url: str


@dataclass(frozen=True, slots=True)
class Table:
    rows: Sequence[rows.Row]
    people: Sequence[ChipLink]
    days: Sequence[ChipLink]
    groups: Sequence[ChipLink]
    kinds: Sequence[ChipLink]
    poll_url: str
    every: int
    live: str  # what aria-live says
    is_filtered: bool
    older_url: str
    newest_url: str
    clear: ChipLink

    @property
    def filters(self) -> Sequence[Sequence[ChipLink]]:
        return (self.people, self.days, self.groups, self.kinds)


def build(
    place: Place, view: View, commands: Sequence[Command], *, more: bool, counts: Sequence[int], now: datetime
) -> Table:
    shown = [rows.build(one, viewer=place.user, rights=place.rights, now=now) for one in commands]
    account = place.account.id
    page = replace(view, before=None)
    is_live = any(row.is_open for row in shown)
    words = {group: capped(count) for group, count in zip(COUNTED, counts, strict=True)}
    everything = View(asked=EVERYONE, group="", kind="", days=ALL_TIME)
    return Table(
        rows=shown,
        people=[_link("Mine", page, account, asked=MINE), _link("Everyone", page, account, asked=EVERYONE)],
        days=[_toggle("Last 7 days", page, account, off=ALL_TIME, days=WEEK)],
        groups=[_toggle(_GROUP_LABELS[group], page, account, group=group, count=words[group]) for group in COUNTED],
        kinds=[_toggle(spec.label, page, account, kind=kind.value) for kind in Kind if (spec := SPECS[kind])],
        poll_url=f"{reverse('table')}?{view.query(account, token=place.token)}",
        every=_EVERY_OPEN if is_live else _EVERY_IDLE,
        live=f"{words['open']} open, {words['done']} done, {words['failed']} failed",
        is_filtered=page != everything,
        older_url=f"{reverse('desk')}?{replace(view, before=commands[-1].id).query(account)}" if more else "",
        newest_url=f"{reverse('desk')}?{page.query(account)}" if view.before else "",
        clear=_chip("All commands", "", everything, account, is_on=False),
    )


def capped(count: int) -> str:
    return f"{COUNT_STOPS_AT}+" if count > COUNT_STOPS_AT else str(count)


def _link(label: str, view: View, account: UUID, *, asked: str) -> ChipLink:
    return _chip(label, "", replace(view, before=None, asked=asked), account, is_on=view.asked == asked)


def _toggle(label: str, view: View, account: UUID, *, count: str = "", off: str = "", **field: str) -> ChipLink:
    """Sets one field of the view to this value, or to `off` where it has it already."""
    [(name, on)] = field.items()
    is_on = getattr(view, name) == on
    changed = replace(view, before=None, **{name: off if is_on else on})
    return _chip(label, count, changed, account, is_on=is_on)


def _chip(label: str, count: str, view: View, account: UUID, *, is_on: bool) -> ChipLink:
    query = view.query(account)
    return ChipLink(label, count, is_on, f"{reverse('desk')}?{query}", f"{reverse('table')}?{query}")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
