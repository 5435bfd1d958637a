"""List of the desk: filters in its address, chips, and empty states."""

from datetime import timedelta
from typing import Any

import pytest

from commands.access import Right
from commands.queries.commands import COUNTED, GROUPS, Filter, ListPage
from commands.rules.kinds import Kind
from commands.web.desk import page
from commands.web.desk.page import DeskFilters
from commands.web.shared.components import FilterGroup
from commands.web.shared.lists.page import CommandList
from tests.web.unsaved import ACCOUNT_ID, HELPDESK, NOW, READER, list_page, unsaved_command, viewer_context

DEFAULT = DeskFilters(requested_by="mine", group="", kind="", days="7")
CURSOR = unsaved_command().id


def read(query: dict[str, str], rights: Any = HELPDESK) -> DeskFilters:
    return DeskFilters.read(query, viewer_context(*rights))


def shown_desk(
    query: dict[str, str] | None = None,
    rows: ListPage | None = None,
    *,
    counts: tuple[int, ...] = (0, 0, 0, 0, 0),
    is_first_run: bool = False,
    rights: Any = HELPDESK,
) -> CommandList:
    context = viewer_context(*rights)
    filters = DeskFilters.read(query or {}, context)
    return page.build(context, filters, rows or list_page(), counts=counts, is_first_run=is_first_run, now=NOW)


def url(**filters: str) -> str:
    return f"?account={ACCOUNT_ID}" + "".join(f"&{name}={value}" for name, value in filters.items())


def chips(group: FilterGroup) -> list[tuple[str, bool]]:
    return [(link.label, link.is_on) for link in group.links]


# --- Filters


def test_viewer_who_can_run_starts_with_own_commands_of_the_last_week() -> None:
    assert read({}) == DEFAULT


def test_viewer_who_cannot_run_starts_with_the_commands_of_everyone() -> None:
    assert read({}, READER).requested_by == "everyone"
    assert read({"requested_by": "mine"}, READER).requested_by == "mine"


def test_filters_are_read_from_the_address() -> None:
    query = {"requested_by": "everyone", "group": "failed", "kind": "pcap", "days": "all", "before": str(CURSOR)}
    assert read(query) == DeskFilters("everyone", "failed", "pcap", "all", CURSOR)


@pytest.mark.parametrize("name", ["requested_by", "group", "kind", "days", "before"])
def test_unknown_value_means_the_default(name: str) -> None:
    assert read({name: "nonsense"}) == DEFAULT


def test_own_commands_are_those_that_the_viewer_requested() -> None:
    context, week = viewer_context(*HELPDESK), NOW - timedelta(days=7)
    assert DEFAULT.filter(context, now=NOW) == Filter(ACCOUNT_ID, requested_by=7, since=week)


def test_commands_of_everyone_and_of_all_time_have_no_condition() -> None:
    context = viewer_context(*HELPDESK)
    filters = read({"requested_by": "everyone", "days": "all", "kind": "pcap", "group": "open"})
    assert filters.filter(context, now=NOW) == Filter(ACCOUNT_ID, group="open", kind=Kind.PCAP)


def test_chips_count_each_group_with_the_other_filters() -> None:
    context = viewer_context(*HELPDESK)
    counted = read({"group": "failed", "kind": "pcap"}).counted(context, now=NOW)
    assert [one.group for one in counted] == list(COUNTED)
    assert {(one.kind, one.requested_by) for one in counted} == {(Kind.PCAP, 7)}


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_new_commands_are_shown_in_no_group_but_the_open_ones(group: str) -> None:
    assert read({"group": group}).showing([Kind.PCAP]).group == ("open" if group == "open" else "")


def test_new_commands_are_shown_on_the_first_page() -> None:
    assert read({"before": str(CURSOR)}).showing([Kind.PCAP]).before is None


def test_new_commands_are_not_hidden_by_the_filter_of_a_kind() -> None:
    filters = read({"kind": "pcap"})
    assert filters.showing([Kind.PCAP]).kind == "pcap"
    assert filters.showing([Kind.WARP_DIAG]).kind == ""
    assert filters.showing([Kind.PCAP, Kind.WARP_DIAG]).kind == ""


def test_new_commands_keep_requester_and_period() -> None:
    filters = read({"requested_by": "everyone", "days": "all"}).showing([Kind.PCAP])
    assert (filters.requested_by, filters.days) == ("everyone", "all")


# --- Chips in the head


def test_head_has_chips_for_requester_and_period() -> None:
    requester, period = shown_desk().scope
    assert (requester.label, chips(requester)) == ("Requested by", [("Mine", True), ("Everyone", False)])
    assert (period.label, chips(period)) == ("Period", [("Last 7 days", True)])


def test_chip_of_everyone_keeps_the_other_filters() -> None:
    requester, _ = shown_desk({"kind": "pcap", "before": str(CURSOR)}).scope
    mine, everyone = requester.links
    assert mine.url == f"/{url(requested_by='mine', kind='pcap', days='7')}"
    assert everyone.url == f"/{url(requested_by='everyone', kind='pcap', days='7')}"
    assert everyone.part_url == f"/commands/table{url(requested_by='everyone', kind='pcap', days='7')}"


def test_chip_of_the_period_is_switched_on_and_off() -> None:
    [week] = shown_desk().scope[1].links
    assert (week.is_on, week.url) == (True, f"/{url(requested_by='mine', days='all')}")
    [week] = shown_desk({"days": "all"}).scope[1].links
    assert (week.is_on, week.url) == (False, f"/{url(requested_by='mine', days='7')}")


def test_viewer_who_cannot_run_has_no_chip_for_own_commands() -> None:
    assert [group.label for group in shown_desk(rights=READER).scope] == ["Period"]


def test_viewer_who_can_no_longer_run_can_leave_own_commands() -> None:
    groups = shown_desk({"requested_by": "mine"}, rights=READER).scope
    assert [group.label for group in groups] == ["Requested by", "Period"]


# --- Chips below the head


def test_chips_of_groups_have_their_counts() -> None:
    status, _ = shown_desk(counts=(2, 5, 0, 1, 0)).filters
    assert [(link.label, link.count) for link in status.links] == [
        ("Open", "2"),
        ("Done", "5"),
        ("Failed", "0"),
        ("In doubt", "1"),
    ]
    assert shown_desk(counts=(2, 5, 0, 1, 0)).live == "2 open, 5 done, 0 failed, 1 in doubt"


def test_chip_of_the_group_that_is_on_is_switched_off_when_it_is_clicked() -> None:
    status, _ = shown_desk({"group": "failed"}).filters
    assert [(link.label, link.url) for link in status.links if link.is_on] == [
        ("Failed", f"/{url(requested_by='mine', days='7')}")
    ]


def test_chips_of_kinds_are_switched_on_and_off() -> None:
    _, kinds = shown_desk({"kind": "pcap"}).filters
    assert [(link.label, link.is_on, link.url) for link in kinds.links] == [
        ("Packet capture", True, f"/{url(requested_by='mine', days='7')}"),
        ("WARP diag", False, f"/{url(requested_by='mine', kind='warp-diag', days='7')}"),
        ("Speed test", False, f"/{url(requested_by='mine', kind='speed-test', days='7')}"),
    ]


# --- Rows


def test_poll_asks_for_the_list_alone() -> None:
    assert shown_desk().poll_url == f"/commands/table{url(requested_by='mine', days='7', token='4.0')}"
    later = shown_desk({"before": str(CURSOR)}).poll_url
    assert later == f"/commands/table{url(requested_by='mine', days='7', before=str(CURSOR), token='4.0')}"


def test_next_page_keeps_the_filters() -> None:
    command = unsaved_command()
    shown = shown_desk({"kind": "pcap"}, list_page(command, has_more=True))
    assert shown.next_url == f"/{url(requested_by='mine', kind='pcap', days='7', before=str(command.id))}"


@pytest.mark.parametrize("right", [Right.SEE, Right.RUN])
def test_rows_can_be_selected_only_with_the_right_to_run(right: Right) -> None:
    shown = shown_desk(rights=[right])
    assert shown.columns.selection == (right is Right.RUN)
    assert (shown.bar is not None) == (right is Right.RUN)


# --- Empty states


@pytest.mark.parametrize(
    ("rights", "sentence"),
    [
        (HELPDESK, "Choose who, what and why, then Run. It shows up here."),
        (READER, "New commands show up here."),
    ],
)
def test_account_without_any_command_tells_how_to_begin(rights: Any, sentence: str) -> None:
    empty = shown_desk(is_first_run=True, rights=rights).empty
    assert (empty.title, empty.sentence, empty.url) == ("No commands yet.", sentence, "")


def test_filters_that_match_nothing_lead_to_the_commands_of_everyone_and_of_all_time() -> None:
    empty = shown_desk({"kind": "pcap", "group": "open"}).empty
    assert (empty.title, empty.link) == ("No commands match.", "Show all commands")
    assert empty.url == f"/{url(requested_by='everyone', days='all')}"
    assert empty.part_url == f"/commands/table{url(requested_by='everyone', days='all')}"
