"""Filters of the history: what they take, and what they say about the rest."""

from datetime import UTC, datetime
from typing import Any

import pytest

from commands.queries.commands import GROUPS, Filter
from commands.rules.kinds import Kind
from commands.rules.states import Status
from commands.web.history.forms import HistoryForm
from tests.people import make_person
from tests.web.unsaved import ACCOUNT_ID, unsaved_user

DEVICE_ID = "0f000000-0000-4000-8000-000000000042"


def form_of(**query: str) -> HistoryForm:
    return HistoryForm(query, account_id=ACCOUNT_ID, viewer=unsaved_user())


def filter_of(**query: str) -> Filter:
    form = form_of(**query)
    assert form.is_valid(), form.errors
    return form.filter()


def error_of(field: str, **query: str) -> str:
    form = form_of(**query)
    assert not form.is_valid()
    [error] = form.errors[field]
    return str(error)


def test_empty_form_matches_every_command() -> None:
    assert filter_of() == Filter(ACCOUNT_ID)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"person": " Maria@Example.com "}, {"email": "maria@example.com"}),
        ({"device": "LAP-0042"}, {"device_name": "lap-0042"}),
        ({"device": DEVICE_ID.upper()}, {"device_id": DEVICE_ID}),
        ({"ticket": "INC-1"}, {"ticket": "inc-1"}),
        ({"requested_by": "Me"}, {"requested_by": 7}),
        ({"kind": "warp-diag"}, {"kind": Kind.WARP_DIAG}),
        ({"started": "elsewhere"}, {"elsewhere": True}),
        ({"started": "here"}, {"elsewhere": False}),
    ],
)
def test_field_becomes_a_condition(query: dict[str, str], expected: dict[str, Any]) -> None:
    assert filter_of(**query) == Filter(ACCOUNT_ID, **expected)


@pytest.mark.parametrize("status", Status)
def test_every_status_is_a_filter(status: Status) -> None:
    assert filter_of(status=status) == Filter(ACCOUNT_ID, status=status)


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_of_statuses_is_a_filter(group: str) -> None:
    assert filter_of(status=group) == Filter(ACCOUNT_ID, group=group)


def test_days_are_whole_days_in_utc_without_a_zone() -> None:
    filter_ = filter_of(since="2026-11-02", until="2026-11-03")
    assert (filter_.since, filter_.until) == (datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))


def test_days_are_whole_days_in_the_zone_of_the_browser() -> None:
    filter_ = filter_of(since="2026-11-02", until="2026-11-02", zone="Asia/Manila")
    assert (filter_.since, filter_.until) == (
        datetime(2026, 11, 1, 16, tzinfo=UTC),
        datetime(2026, 11, 2, 16, tzinfo=UTC),
    )


def test_day_on_which_the_clocks_change_has_25_hours() -> None:
    filter_ = filter_of(since="2026-10-25", until="2026-10-25", zone="Europe/Berlin")
    assert (filter_.since, filter_.until) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("field", "query", "message"),
    [
        ("person", {"person": "maria"}, "Enter an email (device names go in Device)."),
        ("since", {"since": "1.11.2026"}, "Use YYYY-MM-DD."),
        ("until", {"until": "tomorrow"}, "Use YYYY-MM-DD."),
        ("since", {"since": "1999-12-31"}, "Enter a year from 2000 to 2999."),
        ("until", {"until": "3000-01-01"}, "Enter a year from 2000 to 2999."),
        ("until", {"since": "2026-11-02", "until": "2026-11-01"}, "“To” is before “From”."),
    ],
)
def test_field_with_an_error_says_what_to_enter(field: str, query: dict[str, str], message: str) -> None:
    assert error_of(field, **query) == message


@pytest.mark.parametrize("field", ["kind", "status", "started", "order"])
def test_unknown_choice_is_an_error_of_its_field(field: str) -> None:
    assert "nonsense" in error_of(field, **{field: "nonsense"})


def test_field_with_an_error_points_a_screen_reader_to_its_sentence() -> None:
    form = form_of(person="maria")
    person, device = form["person"].as_widget(), form["device"].as_widget()
    assert 'aria-invalid="true"' in person
    assert 'aria-describedby="id_person_error"' in person
    assert "aria-invalid" not in device


def test_given_fields_are_those_that_are_filled_in() -> None:
    form = form_of(person=" maria@example.com ", device=" ", kind="", unknown="1", zone="UTC")
    assert form.given == {"person": "maria@example.com", "zone": "UTC"}


def test_newest_commands_come_first_unless_the_oldest_are_wanted() -> None:
    assert not form_of().is_oldest_first
    assert not form_of(order="newest").is_oldest_first
    assert form_of(order="oldest").is_oldest_first


def test_viewer_who_cannot_run_is_not_offered_own_commands() -> None:
    own = HistoryForm({}, account_id=ACCOUNT_ID, viewer=unsaved_user())
    other = HistoryForm({}, account_id=ACCOUNT_ID, viewer=unsaved_user(), can_run=False)
    assert own.fields["requested_by"].widget.attrs["placeholder"] == "“me”, user name or email"
    assert other.fields["requested_by"].widget.attrs["placeholder"] == "user name or email"


@pytest.mark.django_db
def test_requester_is_found_by_user_name_and_by_email() -> None:
    omar = make_person("omar", "helpdesk")
    assert filter_of(requested_by="Omar").requested_by == omar.pk
    assert filter_of(requested_by="OMAR@example.com").requested_by == omar.pk


@pytest.mark.django_db
def test_unknown_requester_is_an_error() -> None:
    assert error_of("requested_by", requested_by="nobody") == "No user with that name or email."
