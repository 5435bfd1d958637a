"""The desk: the table with its filters. Templates receive these and decide nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from commands.access import Right
from commands.models import Command
from commands.queries.commands import COUNTED, GROUP_LABELS, GROUPS, Filter
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import SPECS, Kind
from commands.web.shared import rows
from commands.web.shared.components import ALWAYS_COUNTED, Bar, ChipLink, Columns, Nothing, bar, capped

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
    def of(cls, query: Mapping[str, str], place: ViewerContext) -> "View":
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

    def filter(self, place: ViewerContext, *, now: datetime) -> Filter:
        return Filter(
            account_id=place.account.id,
            requested_by=place.user.pk if self.asked == MINE else None,
            group=self.group,
            kind=Kind(self.kind) if self.kind else None,
            since=now - _WEEK if self.days == WEEK else None,
        )

    def showing(self, kinds: Collection[Kind]) -> "View":
        """Return the view without filters that would hide rows of these kinds, which were requested just now."""
        return replace(
            self,
            group=self.group if self.group == "open" else "",
            kind=self.kind if set(kinds) == {self.kind} else "",
            before=None,
        )

    def url(self, account_id: UUID) -> str:
        return f"{reverse('desk')}?{self.query(account_id)}"

    def counted(self, place: ViewerContext, *, now: datetime) -> list[Filter]:
        """Return the filters that the chips count: each group, within the rest of the view."""
        return [replace(self, group=group).filter(place, now=now) for group in COUNTED]

    def query(self, account_id: UUID, **extra: str) -> str:
        given = {"account": str(account_id), "asked": self.asked, "group": self.group, "kind": self.kind}
        given |= {"days": self.days, "before": str(self.before or ""), **extra}
        return urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Table:
    rows: Sequence[rows.Row]
    columns: Columns
    bar: Bar | None
    scope: Sequence[Sequence[ChipLink]]  # whose, and of which days
    filters: Sequence[Sequence[ChipLink]]
    nothing: Nothing
    poll_url: str
    every: int
    live: str  # what aria-live says
    older_url: str
    newest_url: str


def build(
    place: ViewerContext,
    view: View,
    commands: Sequence[Command],
    *,
    more: bool,
    counts: Sequence[int],
    is_first_run: bool,
    now: datetime,
) -> Table:
    """`is_first_run`: the account has no command at all."""
    shown = [rows.build(one, viewer=place.user, rights=place.rights, now=now) for one in commands]
    account = place.account.id
    page = replace(view, before=None)
    is_live = any(row.is_open for row in shown)
    may_run = Right.RUN in place.rights
    words = {group: capped(count) for group, count in zip(COUNTED, counts, strict=True)}
    return Table(
        rows=shown,
        columns=Columns(ticks=may_run),
        bar=bar(place, f"{reverse('desk')}?{view.query(account)}"),
        scope=_scope(page, account, may_run=may_run),
        filters=[
            [
                _toggle(GROUP_LABELS[group], page, account, group=group, count=words[group])
                for group, count in zip(COUNTED, counts, strict=True)
                if count or group in ALWAYS_COUNTED or group == view.group
            ],
            [_toggle(spec.label, page, account, kind=kind.value) for kind in Kind if (spec := SPECS[kind])],
        ],
        nothing=_first_run(may_run=may_run) if is_first_run else _nothing(account),
        poll_url=f"{reverse('table')}?{view.query(account, token=place.token)}",
        every=_EVERY_OPEN if is_live else _EVERY_IDLE,
        live=", ".join(f"{words[group]} {GROUP_LABELS[group].lower()}" for group in ALWAYS_COUNTED),
        older_url=f"{reverse('desk')}?{replace(view, before=commands[-1].id).query(account)}" if more else "",
        newest_url=f"{reverse('desk')}?{page.query(account)}" if view.before else "",
    )


def _scope(page: View, account: UUID, *, may_run: bool) -> list[list[ChipLink]]:
    """Whose commands; who may not ask for any has none of their own to look for."""
    mine, everyone = _link("Mine", page, account, asked=MINE), _link("Everyone", page, account, asked=EVERYONE)
    week = _toggle("Last 7 days", page, account, off=ALL_TIME, days=WEEK)
    return [[mine, everyone] if may_run or mine.is_on else [], [week]]


def _first_run(*, may_run: bool) -> Nothing:
    how = "Choose who, what and why, then Run. It shows up here." if may_run else "New commands show up here."
    return Nothing("No commands yet.", how)


def _nothing(account: UUID) -> Nothing:
    all_of_them = _chip("", "", View(asked=EVERYONE, group="", kind="", days=ALL_TIME), account, is_on=False)
    words = "New commands show up on top."
    return Nothing("No commands match.", words, all_of_them.url, "Show all commands", all_of_them.table_url)


def _link(label: str, view: View, account: UUID, *, asked: str) -> ChipLink:
    return _chip(label, "", replace(view, before=None, asked=asked), account, is_on=view.asked == asked)


def _toggle(label: str, view: View, account: UUID, *, count: str = "", off: str = "", **field: str) -> ChipLink:
    """Set one field of the view to this value, or to `off` if it has the value already."""
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
