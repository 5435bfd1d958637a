"""Page of a person and page of a device."""

from collections.abc import Sequence
from typing import Any

import pytest

from commands.models import Device
from commands.queries.commands import COUNTED, Filter, ListPage
from commands.web.people import page
from commands.web.people.page import SubjectPage
from commands.web.shared.rows import Chip
from tests.web.unsaved import (
    ACCOUNT_ID,
    HELPDESK,
    NOW,
    READER,
    list_address,
    list_page,
    unsaved_command,
    unsaved_device,
    viewer_context,
)

MARIA = "maria@example.com"
DEVICE_ID = "d0000000000000000000000000000042"
PERSON_PATH, DEVICE_PATH = f"/people/{MARIA}/", f"/devices/{DEVICE_ID}/"
NO_COMMANDS = (0, 0, 0, 0, 0, 0)
RUN_ON_LAPTOP = f"/?account={ACCOUNT_ID}&who={DEVICE_ID}%2C+maria%40example.com%2C+r1"


def person(
    *devices: Device,
    rows: ListPage | None = None,
    counts: Sequence[int] = NO_COMMANDS,
    group: str = "",
    rights: Any = HELPDESK,
) -> SubjectPage:
    address = list_address(PERSON_PATH, filters={"group": group})
    context = viewer_context(*rights)
    return page.build_person(context, devices, rows or list_page(), counts, email=MARIA, address=address, now=NOW)


def device(
    *devices: Device,
    rows: ListPage | None = None,
    counts: Sequence[int] = NO_COMMANDS,
    group: str = "",
    rights: Any = HELPDESK,
) -> SubjectPage:
    address = list_address(DEVICE_PATH, filters={"group": group})
    context = viewer_context(*rights)
    return page.build_device(
        context, devices, rows or list_page(), counts, device_id=DEVICE_ID, address=address, now=NOW
    )


# --- Person


def test_page_of_a_person_lists_devices() -> None:
    shown = person(unsaved_device(), unsaved_device(device_id="d2", name="PHONE-7"))
    assert (shown.name, shown.sub, shown.heading) == (MARIA, "Person", "Devices")
    assert [one.device for one in shown.registrations] == ["LAP-0042", "PHONE-7"]


def test_history_of_a_person_has_the_person_filled_in() -> None:
    assert person().history_url == f"/history/?account={ACCOUNT_ID}&person=maria%40example.com"


def test_command_for_a_person_is_requested_by_email() -> None:
    shown = person(unsaved_device(), unsaved_device(device_id="d2"))
    assert (shown.run_label, shown.run_url) == ("Run a command", f"/?account={ACCOUNT_ID}&who=maria%40example.com")


def test_person_without_a_listed_device_gets_no_command() -> None:
    assert person(rows=list_page(unsaved_command())).run_url == ""


def test_rows_of_a_person_name_the_device_alone() -> None:
    shown = person(rows=list_page(unsaved_command()), counts=(1, 1, 0, 0, 0, 0))
    assert shown.commands.columns.who == "Device"
    [row] = shown.commands.rows
    assert (row.who.text, row.device) == ("LAP-0042", None)


# --- Device


def test_page_of_a_device_lists_its_users() -> None:
    shown = device(unsaved_device(), unsaved_device(email="omar@example.com", registration_id="r2"))
    assert (shown.name, shown.sub, shown.heading) == ("LAP-0042", "Device · Windows", "Users on this device")
    assert [one.email for one in shown.registrations] == [MARIA, "omar@example.com"]


def test_history_of_a_device_has_its_id_filled_in() -> None:
    assert device().history_url == f"/history/?account={ACCOUNT_ID}&device={DEVICE_ID}"


def test_command_for_a_device_of_one_person_names_the_registration() -> None:
    assert device(unsaved_device()).run_url == RUN_ON_LAPTOP


def test_command_for_a_shared_device_names_the_device_so_that_the_desk_asks_for_the_user() -> None:
    shown = device(unsaved_device(), unsaved_device(registration_id="r2"))
    assert shown.run_url == f"/?account={ACCOUNT_ID}&who=LAP-0042"


def test_device_that_is_not_listed_is_described_by_its_last_command() -> None:
    shown = device(rows=list_page(unsaved_command(platform="mac"), unsaved_command(device_name="OLD")))
    assert (shown.name, shown.sub) == ("LAP-0042", "Device · macOS")
    assert (shown.run_url, list(shown.registrations)) == ("", [])


def test_device_without_any_name_is_shown_by_its_id() -> None:
    assert (device().name, device().sub) == (DEVICE_ID, "Device")
    assert device(unsaved_device(name="", platform="")).name == DEVICE_ID


def test_rows_of_a_device_name_the_person_alone() -> None:
    shown = device(rows=list_page(unsaved_command()), counts=(1, 1, 0, 0, 0, 0))
    assert shown.commands.columns.who == "Person"
    [row] = shown.commands.rows
    assert (row.who.text, row.device, row.platform) == (MARIA, None, "")


# --- Registrations


def test_registration_links_to_device_person_and_desk() -> None:
    [one] = person(unsaved_device()).registrations
    assert one.device_url == f"{DEVICE_PATH}?account={ACCOUNT_ID}"
    assert one.person_url == f"{PERSON_PATH}?account={ACCOUNT_ID}"
    assert one.run_url == RUN_ON_LAPTOP
    assert (one.platform, one.client_version, one.registration_id) == ("Windows", "2026.9.100.0", "r1")
    assert one.seen_at == NOW


def test_registration_without_name_and_person_is_shown_by_its_id() -> None:
    [one] = device(unsaved_device(name="", email="", registration_id="")).registrations
    assert (one.device, one.person_url) == (DEVICE_ID, "")
    assert one.run_url == f"/?account={ACCOUNT_ID}&who={DEVICE_ID}"


@pytest.mark.parametrize(
    ("values", "chip", "reason"),
    [
        ({}, Chip("Connected", "done"), ""),
        ({"connection": "disconnected"}, Chip("Disconnected", "waiting"), ""),
        ({"connection": ""}, Chip("Not connected", "waiting"), ""),
        (
            {"eligible": None},
            Chip("Unknown", "withdrawn"),
            "Cloudflare doesn't say whether commands can run on it.",
        ),
        (
            {"eligible": False, "ineligible_reason": "client too old"},
            Chip("Not supported", "failed"),
            "client too old",
        ),
    ],
)
def test_registration_tells_whether_commands_can_run(values: dict[str, Any], chip: Chip, reason: str) -> None:
    [one] = person(unsaved_device(**values)).registrations
    assert (one.chip, one.reason) == (chip, reason)


# --- Rights


def test_viewer_without_the_right_to_run_gets_no_link_to_run() -> None:
    for shown in (person(unsaved_device(), rights=READER), device(unsaved_device(), rights=READER)):
        assert shown.run_url == ""
        assert [one.run_url for one in shown.registrations] == [""]
        assert not shown.commands.columns.selection
        assert shown.commands.bar is None


# --- Chips and empty states


def test_chips_are_all_commands_and_the_groups_that_have_some() -> None:
    [group] = person(counts=(7, 1, 4, 0, 2, 0)).commands.filters
    url = f"{PERSON_PATH}?account={ACCOUNT_ID}"
    assert [(link.label, link.count, link.is_on, link.url) for link in group.links] == [
        ("All", "7", True, url),
        ("Open", "1", False, f"{url}&group=open"),
        ("Done", "4", False, f"{url}&group=done"),
        ("Failed", "0", False, f"{url}&group=failed"),
        ("In doubt", "2", False, f"{url}&group=doubt"),
    ]


def test_chip_of_the_chosen_group_is_on() -> None:
    [group] = device(counts=(7, 1, 4, 0, 2, 0), group="failed").commands.filters
    assert [link.label for link in group.links if link.is_on] == ["Failed"]


def test_page_without_commands_says_so() -> None:
    assert person().commands.empty.title == "No commands for this person."
    assert device().commands.empty.title == "No commands on this device."
    assert person(group="open").commands.empty.title == "No commands for this person."


def test_group_without_commands_leads_to_all_commands() -> None:
    empty = device(counts=(3, 0, 3, 0, 0, 0), group="open").commands.empty
    assert (empty.title, empty.link) == ("No commands have this status.", "All commands on this device")
    assert empty.url == f"{DEVICE_PATH}?account={ACCOUNT_ID}"


def test_filters_count_all_commands_and_each_group() -> None:
    base = Filter(ACCOUNT_ID, email=MARIA)
    chosen, counted = page.filters(base, "failed")
    assert chosen == Filter(ACCOUNT_ID, email=MARIA, group="failed")
    assert [one.group for one in counted] == ["", *COUNTED]
    assert {one.email for one in counted} == {MARIA}


@pytest.mark.parametrize("group", ["", "ended", "nonsense"])
def test_group_that_has_no_chip_shows_all_commands(group: str) -> None:
    base = Filter(ACCOUNT_ID, email=MARIA)
    assert page.filters(base, group)[0] == base
