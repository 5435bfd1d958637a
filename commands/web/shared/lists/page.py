"""List of commands, as every page shows it: chips that filter, rows, columns, pager, poll, and empty state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from commands.access import Right
from commands.queries.commands import GROUP_LABELS, ListPage
from commands.queries.viewer_context import ViewerContext
from commands.web.shared import rows
from commands.web.shared.components import (
    ALWAYS_COUNTED,
    Columns,
    EmptyState,
    FilterGroup,
    FilterLink,
    OperationBar,
    capped,
    operation_bar,
    poll_seconds,
)
from commands.web.shared.lists.address import ListAddress
from commands.web.shared.rows import ListSubject


@dataclass(frozen=True, slots=True)
class CommandList:
    """One page of a list, ready for `_list.html`.

    Attributes:
        count: number of commands in words, '' where the chips count.
        progress: (ended, all) commands of a run.
        scope: chips in the head of the list.
        filters: chips below the head.
        live: what a screen reader announces when it changes.
    """

    title: str
    count: str
    progress: tuple[int, int] | None
    scope: Sequence[FilterGroup]
    filters: Sequence[FilterGroup]
    rows: Sequence[rows.TableRow]
    columns: Columns
    bar: OperationBar | None
    empty: EmptyState
    poll_url: str
    poll_seconds: int
    live: str
    next_url: str
    next_label: str
    first_url: str
    first_label: str


def build(
    context: ViewerContext,
    page: ListPage,
    *,
    address: ListAddress,
    empty: EmptyState,
    now: datetime,
    title: str = "Commands",
    count: str = "",
    progress: tuple[int, int] | None = None,
    scope: Sequence[FilterGroup] = (),
    filters: Sequence[FilterGroup] = (),
    subject: ListSubject = ListSubject.ANY,
    is_one_run: bool = False,
) -> CommandList:
    """Build the list. No row repeats what `subject` and `is_one_run` say all rows have in common."""
    shown = [rows.build(row, viewer=context.user, rights=context.rights, now=now, subject=subject) for row in page.rows]
    first_label, next_label = ("First", "Next") if address.is_oldest_first else ("Newest", "Older")
    return CommandList(
        title=title,
        count=count,
        progress=progress,
        scope=scope,
        filters=filters,
        rows=shown,
        columns=Columns(
            selection=Right.RUN in context.rights,
            who=_WHO[subject],
            requester=not is_one_run,
            ticket=not is_one_run,
        ),
        bar=operation_bar(context, back=address.url_of_page(address.cursor)),
        empty=empty,
        poll_url=address.poll_url(context.token),
        poll_seconds=poll_seconds(is_live=any(row.is_live for row in shown)),
        live=count or _counts(filters),
        next_url=address.url_of_page(page.rows[-1].command.id) if page.has_more else "",
        next_label=next_label,
        first_url=address.url() if address.cursor else "",
        first_label=first_label,
    )


_WHO: Mapping[ListSubject, str] = {
    ListSubject.ANY: "Person and device",
    ListSubject.PERSON: "Device",
    ListSubject.DEVICE: "Person",
}


def _counts(filters: Sequence[FilterGroup]) -> str:
    """Return the counts of the chips, such as "2 open, 1 failed"."""
    return ", ".join(f"{link.count} {link.label.lower()}" for group in filters for link in group.links if link.count)


def group_links(address: ListAddress, counts: Mapping[str, int], *, is_toggle: bool = False) -> list[FilterLink]:
    """Build a chip for each group of statuses that has commands, is on, or is always shown.

    A chip that is on stays on when it is clicked, or is switched off if `is_toggle`.
    """
    current = address.filters.get("group", "")
    return [
        filter_link(
            GROUP_LABELS[group],
            replace(address, filters={**address.filters, "group": "" if is_toggle and group == current else group}),
            is_on=group == current,
            count=capped(count),
        )
        for group, count in counts.items()
        if count or group in ALWAYS_COUNTED or group == current
    ]


def filter_link(label: str, address: ListAddress, *, is_on: bool, count: str = "") -> FilterLink:
    return FilterLink(label, count, is_on, address.url(), address.part_url())


def describe_count(count: int) -> str:
    """Return a text such as "no commands", "1 command" or "1000+ commands"."""
    return {0: "no commands", 1: "1 command"}.get(count, f"{capped(count)} commands")
