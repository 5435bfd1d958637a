"""List of commands, as every page shows it."""

from typing import Any

import pytest

from commands.queries.commands import COUNT_STOPS_AT, ListPage
from commands.rules.states import OPEN, ArtifactStatus, Status
from commands.web.shared.components import EmptyState, FilterGroup
from commands.web.shared.lists import page as lists
from commands.web.shared.lists.address import ListAddress
from commands.web.shared.lists.page import CommandList
from commands.web.shared.rows import ListSubject
from tests.web.unsaved import (
    ACCOUNT_ID,
    HELPDESK,
    NOW,
    READER,
    list_address,
    list_page,
    row_of,
    unsaved_artifact,
    unsaved_command,
    unsaved_user,
    viewer_context,
)

EMPTY = EmptyState("No commands yet.", "Every command run here is kept.")
OPEN_URL = f"/history/?account={ACCOUNT_ID}&group=open"


def shown_list(
    page: ListPage, *, rights: Any = HELPDESK, address: ListAddress | None = None, **values: Any
) -> CommandList:
    context = viewer_context(*rights)
    return lists.build(context, page, address=address or list_address(), empty=EMPTY, now=NOW, **values)


def labels(group: FilterGroup) -> list[tuple[str, str, bool]]:
    return [(link.label, link.count, link.is_on) for link in group.links]


# --- Rows


def test_rows_are_in_the_order_of_the_page() -> None:
    first, second = unsaved_command(), unsaved_command()
    assert [row.id for row in shown_list(list_page(first, second)).rows] == [first.id, second.id]


def test_list_without_rows_has_its_empty_state() -> None:
    shown = shown_list(list_page())
    assert shown.rows == []
    assert shown.empty == EMPTY


def test_rows_are_built_for_the_viewer() -> None:
    own, other = unsaved_command(), unsaved_command(requested_by=unsaved_user("omar", pk=8))
    assert [row.requester for row in shown_list(list_page(own, other)).rows] == ["you", "omar"]


# --- Columns and the bar of operations


def test_viewer_with_the_right_to_run_selects_rows_and_has_the_bar() -> None:
    shown = shown_list(list_page(unsaved_command()))
    assert shown.columns.selection
    assert shown.bar is not None
    assert shown.bar.url == "/commands/act"


def test_viewer_without_the_right_to_run_has_neither_selection_nor_bar() -> None:
    shown = shown_list(list_page(unsaved_command()), rights=READER)
    assert not shown.columns.selection
    assert shown.bar is None


def test_bar_returns_to_the_page_that_is_shown() -> None:
    cursor = unsaved_command().id
    shown = shown_list(list_page(), address=list_address(filters={"kind": "pcap"}, cursor=cursor))
    assert shown.bar is not None
    assert shown.bar.back == f"/history/?account={ACCOUNT_ID}&kind=pcap&before={cursor}"


def test_every_shown_list_has_a_key_of_its_own() -> None:
    first, second = shown_list(list_page()).bar, shown_list(list_page()).bar
    assert first is not None
    assert second is not None
    assert first.key != second.key


@pytest.mark.parametrize(
    ("subject", "who"),
    [(ListSubject.ANY, "Person and device"), (ListSubject.PERSON, "Device"), (ListSubject.DEVICE, "Person")],
)
def test_heading_names_what_differs_between_the_rows(subject: ListSubject, who: str) -> None:
    assert shown_list(list_page(), subject=subject).columns.who == who


@pytest.mark.parametrize(
    ("rights", "is_one_run", "count"),
    [(HELPDESK, False, 7), (READER, False, 6), (HELPDESK, True, 5), (READER, True, 4)],
)
def test_columns_are_counted_for_the_empty_row(rights: Any, is_one_run: bool, count: int) -> None:
    columns = shown_list(list_page(), rights=rights, is_one_run=is_one_run).columns
    assert columns.count == count
    assert (columns.requester, columns.ticket) == (not is_one_run, not is_one_run)


# --- Pages


def test_next_page_begins_after_the_last_row() -> None:
    first, last = unsaved_command(), unsaved_command()
    shown = shown_list(list_page(first, last, has_more=True))
    assert shown.next_url == f"/history/?account={ACCOUNT_ID}&before={last.id}"
    assert (shown.first_label, shown.next_label) == ("Newest", "Older")


def test_list_with_the_oldest_first_continues_with_later_commands() -> None:
    last = unsaved_command()
    shown = shown_list(list_page(last, has_more=True), address=list_address(is_oldest_first=True))
    assert shown.next_url == f"/history/?account={ACCOUNT_ID}&after={last.id}"
    assert (shown.first_label, shown.next_label) == ("First", "Next")


def test_last_page_has_no_next_page() -> None:
    assert shown_list(list_page(unsaved_command())).next_url == ""


def test_first_page_has_no_link_to_itself() -> None:
    assert shown_list(list_page(unsaved_command(), has_more=True)).first_url == ""


def test_later_page_has_a_link_to_the_first_page_with_the_same_filters() -> None:
    address = list_address(filters={"kind": "pcap"}, cursor=unsaved_command().id)
    assert shown_list(list_page(), address=address).first_url == f"/history/?account={ACCOUNT_ID}&kind=pcap"


# --- Poll


def test_poll_has_the_version_of_the_account_and_of_the_rights() -> None:
    context = viewer_context(user=unsaved_user(rights_version=2))
    shown = lists.build(context, list_page(), address=list_address(), empty=EMPTY, now=NOW)
    assert shown.poll_url == f"/history/?account={ACCOUNT_ID}&token=4.2"


@pytest.mark.parametrize("status", Status)
def test_list_polls_often_while_a_command_is_open(status: Status) -> None:
    done, command = unsaved_command(Status.WITHDRAWN), unsaved_command(status)
    assert shown_list(list_page(done, command)).poll_seconds == (3 if status in OPEN else 30)


@pytest.mark.parametrize("status", ArtifactStatus)
def test_list_polls_often_while_a_file_is_expected_to_change(status: ArtifactStatus) -> None:
    command = unsaved_command(Status.SUCCESS)
    page = ListPage([row_of(command, unsaved_artifact(status, command))], has_more=False)
    is_live = status in {ArtifactStatus.WANTED, ArtifactStatus.FETCHING, ArtifactStatus.READING}
    assert shown_list(page).poll_seconds == (3 if is_live else 30)


def test_empty_list_polls_seldom() -> None:
    assert shown_list(list_page()).poll_seconds == 30


# --- Chips of groups


def test_chips_of_open_done_and_failed_are_always_shown() -> None:
    links = lists.group_links(list_address(), {"open": 0, "done": 0, "failed": 0, "doubt": 0, "unsent": 0})
    assert labels(FilterGroup("Status", links)) == [("Open", "0", False), ("Done", "0", False), ("Failed", "0", False)]


def test_chips_of_other_groups_are_shown_if_they_have_commands() -> None:
    links = lists.group_links(list_address(), {"doubt": 2, "unsent": 1})
    assert labels(FilterGroup("Status", links)) == [("In doubt", "2", False), ("Not sent", "1", False)]


def test_chip_that_is_on_is_shown_even_if_its_group_is_empty() -> None:
    address = list_address(filters={"group": "doubt"})
    assert labels(FilterGroup("Status", lists.group_links(address, {"doubt": 0}))) == [("In doubt", "0", True)]


def test_chip_keeps_the_other_filters_and_starts_at_the_first_page() -> None:
    address = list_address(filters={"kind": "pcap", "group": "done"}, cursor=unsaved_command().id)
    [link] = lists.group_links(address, {"open": 1})
    assert link.url == f"/history/?account={ACCOUNT_ID}&kind=pcap&group=open"


def test_chip_has_the_address_of_the_list_alone() -> None:
    [link] = lists.group_links(list_address("/", part_path="/commands/table"), {"open": 1})
    assert link.url == f"/?account={ACCOUNT_ID}&group=open"
    assert link.part_url == f"/commands/table?account={ACCOUNT_ID}&group=open"


def test_chip_that_is_on_stays_on_when_it_is_clicked() -> None:
    [link] = lists.group_links(list_address(filters={"group": "open"}), {"open": 1})
    assert (link.is_on, link.url) == (True, OPEN_URL)


def test_toggle_that_is_on_is_switched_off_when_it_is_clicked() -> None:
    open_, done = lists.group_links(list_address(filters={"group": "open"}), {"open": 1, "done": 1}, is_toggle=True)
    assert (open_.is_on, open_.url) == (True, f"/history/?account={ACCOUNT_ID}")
    assert (done.is_on, done.url) == (False, f"/history/?account={ACCOUNT_ID}&group=done")


def test_chip_counts_no_further_than_the_query_does() -> None:
    at_most, more = lists.group_links(list_address(), {"open": COUNT_STOPS_AT, "done": COUNT_STOPS_AT + 1})
    assert (at_most.count, more.count) == ("1000", "1000+")


# --- Announcement and counts


def test_screen_reader_hears_the_count_of_the_list() -> None:
    assert shown_list(list_page(), count="2 of 3 finished").live == "2 of 3 finished"


def test_screen_reader_hears_the_counts_of_the_chips_if_the_list_has_no_count() -> None:
    links = lists.group_links(list_address(), {"open": 2, "failed": 1})
    uncounted = lists.filter_link("Mine", list_address(), is_on=True)
    shown = shown_list(list_page(), filters=[FilterGroup("Status", links), FilterGroup("Requested by", [uncounted])])
    assert shown.live == "2 open, 1 failed"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "no commands"), (1, "1 command"), (2, "2 commands"), (1000, "1000 commands"), (1001, "1000+ commands")],
)
def test_count_in_words(count: int, text: str) -> None:
    assert lists.describe_count(count) == text
