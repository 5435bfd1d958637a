"""List of the desk: its filters, and the list built from them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.urls import reverse

from commands.access import Right
from commands.queries.commands import COUNTED, GROUPS, Filter, ListPage
from commands.queries.viewer_context import ViewerContext
from commands.rules.ids import parse_uuid
from commands.rules.kinds import SPECS, Kind
from commands.web.shared.components import EmptyState, FilterGroup, FilterLink
from commands.web.shared.lists import page as lists
from commands.web.shared.lists.address import BEFORE, ListAddress
from commands.web.shared.lists.page import CommandList

MINE, EVERYONE = "mine", "everyone"
WEEK, ALL_TIME = "7", "all"
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DeskFilters:
    """Filters in the address of the desk. Unknown values mean the default."""

    requested_by: str
    group: str
    kind: str
    days: str
    before: UUID | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], context: ViewerContext) -> "DeskFilters":
        default = MINE if Right.RUN in context.rights else EVERYONE
        requested_by, days = query.get("requested_by", ""), query.get("days", "")
        group, kind = query.get("group", ""), query.get("kind", "")
        return cls(
            requested_by=requested_by if requested_by in (MINE, EVERYONE) else default,
            group=group if group in GROUPS else "",
            kind=kind if kind in set(Kind) else "",
            days=days if days in (WEEK, ALL_TIME) else WEEK,
            before=parse_uuid(query.get(BEFORE)),
        )

    def filter(self, context: ViewerContext, *, now: datetime) -> Filter:
        return Filter(
            account_id=context.account.id,
            requested_by=context.user.pk if self.requested_by == MINE else None,
            group=self.group,
            kind=Kind(self.kind) if self.kind else None,
            since=now - _WEEK if self.days == WEEK else None,
        )

    def counted(self, context: ViewerContext, *, now: datetime) -> list[Filter]:
        """Return the filters that the chips count: each group, with the other filters as they are."""
        return [replace(self, group=group).filter(context, now=now) for group in COUNTED]

    def showing(self, kinds: Collection[Kind]) -> "DeskFilters":
        """Return the filters without those that would hide new commands of these kinds."""
        return replace(
            self,
            group=self.group if self.group == "open" else "",
            kind=self.kind if set(kinds) == {self.kind} else "",
            before=None,
        )

    def address(self, account_id: UUID) -> ListAddress:
        filters = {"requested_by": self.requested_by, "group": self.group, "kind": self.kind, "days": self.days}
        return ListAddress(reverse("desk"), account_id, filters, self.before, part_path=reverse("table"))


def build(
    context: ViewerContext,
    filters: DeskFilters,
    page: ListPage,
    *,
    counts: Sequence[int],
    is_first_run: bool,
    now: datetime,
) -> CommandList:
    """Build the list. `is_first_run`: the account has no command at all."""
    address = filters.address(context.account.id)
    can_run = Right.RUN in context.rights
    kinds = [_toggle(SPECS[kind].label, address, "kind", kind.value) for kind in Kind]
    groups = lists.group_links(address, dict(zip(COUNTED, counts, strict=True)), is_toggle=True)
    return lists.build(
        context,
        page,
        address=address,
        empty=_first_run(can_run=can_run) if is_first_run else _no_match(address),
        scope=_scope(address, can_run=can_run),
        filters=[FilterGroup("Status", groups), FilterGroup("Command", kinds)],
        now=now,
    )


def _scope(address: ListAddress, *, can_run: bool) -> list[FilterGroup]:
    """Build the chips for the requester and the days. A viewer who can't run commands has none of their own."""
    week = FilterGroup("Period", [_toggle("Last 7 days", address, "days", WEEK, off=ALL_TIME)])
    if not can_run and address.filters["requested_by"] == EVERYONE:
        return [week]
    choices = {"Mine": MINE, "Everyone": EVERYONE}
    return [FilterGroup("Requested by", [_choice(label, address, value) for label, value in choices.items()]), week]


def _choice(label: str, address: ListAddress, requested_by: str) -> FilterLink:
    is_on = address.filters["requested_by"] == requested_by
    return lists.filter_link(label, _with(address, requested_by=requested_by), is_on=is_on)


def _toggle(label: str, address: ListAddress, name: str, value: str, off: str = "") -> FilterLink:
    """Build a chip that sets a filter to a value, or to `off` if it has that value already."""
    is_on = address.filters[name] == value
    return lists.filter_link(label, _with(address, **{name: off if is_on else value}), is_on=is_on)


def _with(address: ListAddress, **filters: str) -> ListAddress:
    return replace(address, filters={**address.filters, **filters})


def _first_run(*, can_run: bool) -> EmptyState:
    sentence = "Choose who, what and why, then Run. It shows up here." if can_run else "New commands show up here."
    return EmptyState("No commands yet.", sentence)


def _no_match(address: ListAddress) -> EmptyState:
    everything = replace(address, filters={"requested_by": EVERYONE, "days": ALL_TIME})
    sentence = "New commands show up on top."
    return EmptyState(
        "No commands match.", sentence, everything.url(), "Show all commands", part_url=everything.part_url()
    )
