"""The history: the form's filters, and what they let through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from commands.models import Command
from commands.queries.viewer_context import ViewerContext
from commands.web.history.forms import HistoryForm
from commands.web.shared.components import Nothing
from commands.web.shared.lists import page as listing
from commands.web.shared.lists.page import Listing, Where


@dataclass(frozen=True, slots=True)
class HistoryPage:
    form: HistoryForm
    account_id: str
    clear_url: str
    is_filtered: bool
    zone: str  # whose days are meant
    commands: Listing | None  # None: a field has to be mended first


def build(
    place: ViewerContext,
    form: HistoryForm,
    found: tuple[Sequence[Command], bool] | None,
    count: int,
    *,
    where: Where,
    now: datetime,
) -> HistoryPage:
    clear_url = Where(where.path, where.account_id, {}).url()
    is_filtered = any(name not in ("order", "zone") for name in form.given)
    nothing = Nothing("No command yet.", "Every command run here is kept.")
    if is_filtered:
        words = "Filters need the full email, name, id or ticket."
        nothing = Nothing("No commands match these filters.", words, clear_url, "Show all commands")
    commands = None
    if found is not None:
        title, words = "Commands", listing.counted(count)
        commands = listing.build(place, found, where=where, title=title, count=words, nothing=nothing, now=now)
    return HistoryPage(form, str(place.account.id), clear_url, is_filtered, form.zone_of_days.key, commands)
