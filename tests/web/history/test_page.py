"""History: its filters, its list and its empty states."""

from typing import Any

import pytest

from commands.queries.commands import ListPage
from commands.web.history import page
from commands.web.history.forms import HistoryForm
from commands.web.history.page import HistoryPage
from tests.web.unsaved import (
    ACCOUNT_ID,
    HELPDESK,
    NOW,
    READER,
    list_address,
    list_page,
    unsaved_command,
    unsaved_user,
    viewer_context,
)

EVERYTHING = f"/history/?account={ACCOUNT_ID}"


def shown_history(
    query: dict[str, str] | None = None, rows: ListPage | None = None, count: int = 0, *, rights: Any = HELPDESK
) -> HistoryPage:
    form = HistoryForm(query or {}, account_id=ACCOUNT_ID, viewer=unsaved_user())
    address = list_address(filters=form.given, is_oldest_first=form.is_oldest_first)
    found = (rows or list_page()) if form.is_valid() else None
    return page.build(viewer_context(*rights), form, found, count, address=address, now=NOW)


def test_account_without_commands_has_an_empty_history() -> None:
    shown = shown_history()
    assert not shown.is_filtered
    assert shown.commands is not None
    assert shown.commands.empty.title == "No commands yet."
    assert shown.commands.empty.url == ""
    assert shown.commands.count == "no commands"


@pytest.mark.parametrize("field", ["person", "device", "ticket", "kind", "status", "started", "since", "until"])
def test_filters_that_match_nothing_lead_to_all_commands(field: str) -> None:
    values = {
        "person": "maria@example.com",
        "kind": "pcap",
        "status": "open",
        "started": "here",
        "since": "2026-11-01",
        "until": "2026-11-01",
    }
    shown = shown_history({field: values.get(field, "some text")})
    assert shown.is_filtered
    assert shown.commands is not None
    empty = shown.commands.empty
    assert (empty.title, empty.link, empty.url) == (
        "No commands match these filters.",
        "Show all commands",
        EVERYTHING,
    )
    assert shown.clear_url == EVERYTHING


@pytest.mark.parametrize("query", [{"order": "oldest"}, {"zone": "Asia/Manila"}, {"person": " ", "kind": ""}])
def test_order_zone_and_blank_fields_are_no_filters(query: dict[str, str]) -> None:
    shown = shown_history(query)
    assert not shown.is_filtered
    assert shown.commands is not None
    assert shown.commands.empty.title == "No commands yet."


def test_field_with_an_error_shows_no_list() -> None:
    shown = shown_history({"person": "maria"}, list_page(unsaved_command()), 1)
    assert shown.commands is None
    assert shown.form.errors["person"] == ["Enter an email (device names go in Device)."]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "no commands"), (1, "1 command"), (50, "50 commands"), (1001, "1000+ commands")]
)
def test_list_counts_the_matching_commands(count: int, text: str) -> None:
    shown = shown_history(rows=list_page(unsaved_command()), count=count)
    assert shown.commands is not None
    assert (shown.commands.count, shown.commands.live) == (text, text)


def test_next_page_and_poll_keep_the_filters() -> None:
    command = unsaved_command()
    shown = shown_history({"kind": "pcap", "zone": "UTC"}, list_page(command, has_more=True), 60)
    assert shown.commands is not None
    assert shown.commands.next_url == f"{EVERYTHING}&kind=pcap&zone=UTC&before={command.id}"
    assert shown.commands.poll_url == f"{EVERYTHING}&kind=pcap&zone=UTC&token=4.0"


def test_next_page_of_the_oldest_commands_has_later_ones() -> None:
    command = unsaved_command()
    shown = shown_history({"order": "oldest"}, list_page(command, has_more=True), 60)
    assert shown.commands is not None
    assert shown.commands.next_url == f"{EVERYTHING}&order=oldest&after={command.id}"
    assert shown.commands.next_label == "Next"


def test_history_has_no_chips() -> None:
    shown = shown_history()
    assert shown.commands is not None
    assert (list(shown.commands.filters), list(shown.commands.scope)) == ([], [])


def test_rows_can_be_selected_only_with_the_right_to_run() -> None:
    own, other = shown_history().commands, shown_history(rights=READER).commands
    assert own is not None
    assert other is not None
    assert (own.columns.selection, other.columns.selection) == (True, False)
    assert other.bar is None


@pytest.mark.parametrize(
    ("zone", "shown_zone"),
    [("", "UTC"), ("Europe/Lisbon", "Europe/Lisbon"), ("Europe/Atlantis", "UTC"), ("../etc/passwd", "UTC")],
)
def test_dates_are_in_the_zone_of_the_browser_or_in_utc(zone: str, shown_zone: str) -> None:
    assert shown_history({"zone": zone}).zone == shown_zone


def test_form_keeps_the_account() -> None:
    assert shown_history().account_id == str(ACCOUNT_ID)
