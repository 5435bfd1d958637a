"""History: the form with its filters, and the list of matching commands."""

from dataclasses import dataclass, replace
from datetime import datetime

from commands.queries.commands import ListPage
from commands.queries.viewer_context import ViewerContext
from commands.web.history.forms import HistoryForm
from commands.web.shared.components import EmptyState
from commands.web.shared.lists import page as lists
from commands.web.shared.lists.address import ListAddress
from commands.web.shared.lists.page import CommandList


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """History page.

    Attributes:
        zone: time zone of the dates in the form.
        commands: None while a field has an error.
    """

    form: HistoryForm
    account_id: str
    clear_url: str
    is_filtered: bool
    zone: str
    commands: CommandList | None


def build(
    context: ViewerContext,
    form: HistoryForm,
    page: ListPage | None,
    count: int,
    *,
    address: ListAddress,
    now: datetime,
) -> HistoryPage:
    clear_url = replace(address, filters={}).url()
    is_filtered = any(name not in ("order", "zone") for name in form.given)
    empty = EmptyState("No commands yet.", "Every command run here is kept.")
    if is_filtered:
        sentence = "Filters need the full email, name, id or ticket."
        empty = EmptyState("No commands match these filters.", sentence, clear_url, "Show all commands")
    commands = None
    if page is not None:
        commands = lists.build(context, page, address=address, count=lists.describe_count(count), empty=empty, now=now)
    return HistoryPage(form, str(context.account.id), clear_url, is_filtered, form.zone_of_days.key, commands)
