"""Parts of lists beside their rows: chips that filter, columns, the bar of operations, and the empty state."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.urls import reverse

from commands.access import Right
from commands.queries.commands import COUNT_STOPS_AT
from commands.queries.viewer_context import ViewerContext

ALWAYS_COUNTED = ("open", "done", "failed")
"""Groups whose chips are always shown. Chips of the other groups appear when there are commands in them."""

_POLL_LIVE, _POLL_IDLE = 3, 30  # seconds


@dataclass(frozen=True, slots=True)
class FilterLink:
    """Chip of a filter that is on or off. `url` is the page's, `part_url` the list's alone."""

    label: str
    count: str
    is_on: bool
    url: str
    part_url: str


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """Chips of which one filter consists. `label` is read by screen readers."""

    label: str
    links: Sequence[FilterLink]


@dataclass(frozen=True, slots=True)
class EmptyState:
    """Text in place of rows: what an empty list means, and a link that helps. `part_url` returns the list alone."""

    title: str
    sentence: str
    url: str = ""
    link: str = ""
    part_url: str = ""


@dataclass(frozen=True, slots=True)
class OperationBar:
    """Form for operations on selected rows.

    Attributes:
        key: one-time key, new for each page that is shown.
        back: address of this list, to return to.
    """

    url: str
    key: UUID
    back: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns beside status, command and result. `who` is the heading of the column of people and devices."""

    selection: bool
    who: str = "Person and device"
    requester: bool = True
    ticket: bool = True

    @property
    def count(self) -> int:
        return 4 + self.selection + self.requester + self.ticket


def capped(count: int) -> str:
    return f"{COUNT_STOPS_AT}+" if count > COUNT_STOPS_AT else str(count)


def operation_bar(context: ViewerContext, *, back: str) -> OperationBar | None:
    """Return the bar, or None for a viewer without the right to run commands."""
    return OperationBar(reverse("act"), uuid4(), back) if Right.RUN in context.rights else None


def poll_seconds(*, is_live: bool) -> int:
    """Return how often the browser asks for changes: often while a command is on its way."""
    return _POLL_LIVE if is_live else _POLL_IDLE
