"""Parts of lists beside their rows."""

import pytest

from commands.access import Right
from commands.web.shared.components import Columns, capped, operation_bar, poll_seconds
from tests.web.unsaved import viewer_context


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (999, "999"), (1000, "1000"), (1001, "1000+"), (5000, "1000+")])
def test_count_stops_where_the_query_does(count: int, text: str) -> None:
    assert capped(count) == text


def test_browser_asks_often_while_something_is_on_its_way() -> None:
    assert poll_seconds(is_live=True) == 3
    assert poll_seconds(is_live=False) == 30


@pytest.mark.parametrize("right", Right)
def test_bar_needs_the_right_to_run_and_no_other(right: Right) -> None:
    bar = operation_bar(viewer_context(right), back="/back")
    assert (bar is not None) == (right is Right.RUN)


def test_bar_posts_the_operation_and_returns_to_the_list() -> None:
    bar = operation_bar(viewer_context(Right.RUN), back="/history/?kind=pcap")
    assert bar is not None
    assert (bar.url, bar.back) == ("/commands/act", "/history/?kind=pcap")


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        (Columns(selection=True), 7),
        (Columns(selection=False), 6),
        (Columns(selection=True, requester=False), 6),
        (Columns(selection=True, ticket=False), 6),
        (Columns(selection=False, requester=False, ticket=False), 4),
    ],
)
def test_columns_count_those_that_are_shown(columns: Columns, count: int) -> None:
    assert columns.count == count
