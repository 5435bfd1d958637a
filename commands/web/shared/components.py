"""What tables of commands are made of, beside their rows: chips that filter, the empty state, the bar of acts."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.urls import reverse

from commands.access import Right
from commands.queries.commands import COUNT_STOPS_AT
from commands.queries.viewer_context import ViewerContext

ALWAYS_COUNTED = ("open", "done", "failed")
"""The chips that stay where they are; those of the other groups show up when there is something in them."""


@dataclass(frozen=True, slots=True)
class ChipLink:
    """A filter that is on or off; `url` is the page's, `table_url` the table's alone."""

    label: str
    count: str
    is_on: bool
    url: str
    table_url: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """What stands in an empty list: what it means, and what to do. `table_url`: where the list alone can be swapped."""

    title: str
    sentence: str
    url: str = ""
    link: str = ""
    table_url: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """What can be done with ticked rows: one form, with a key of its own for each page that is shown."""

    url: str
    key: UUID
    back: str  # where to return: this very list


@dataclass(frozen=True, slots=True)
class Columns:
    """What the table shows beside status, command and result. `who`: the head of the column of whom it is for."""

    ticks: bool
    who: str = "Person and device"
    asker: bool = True
    ticket: bool = True

    @property
    def count(self) -> int:
        return 4 + self.ticks + self.asker + self.ticket


def capped(count: int) -> str:
    return f"{COUNT_STOPS_AT}+" if count > COUNT_STOPS_AT else str(count)


def bar(place: ViewerContext, back: str) -> Bar | None:
    """None for somebody who may do nothing."""
    return Bar(reverse("act"), uuid4(), back) if Right.RUN in place.rights else None
