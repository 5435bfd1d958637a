"""Page of a run: its counts, buttons, chips and messages."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from commands.models import Run
from commands.queries.commands import ListPage
from commands.rules.states import Status
from commands.web.run import page
from commands.web.run.page import RequestedKind, RunPage, withdrawal_messages
from tests.web.unsaved import (
    ACCOUNT_ID,
    HELPDESK,
    NOW,
    READER,
    list_address,
    list_page,
    names,
    unsaved_command,
    unsaved_run,
    unsaved_user,
    viewer_context,
)

WITHDRAWABLE = {Status.AWAITING_APPROVAL, Status.WAITING_DEVICE, Status.QUEUED}
RETRIED = {Status.FAILED, Status.REJECTED, Status.EXPIRED}
MIXED = {Status.QUEUED: 2, Status.PENDING_EXEC: 1, Status.SUCCESS: 4, Status.FAILED: 3}


def shown_run(
    states: Mapping[Status, int] | None = None,
    *,
    run: Run | None = None,
    rows: ListPage | None = None,
    rights: Any = HELPDESK,
    status: str = "",
) -> RunPage:
    run = run or unsaved_run()
    address = list_address(f"/runs/{run.id}/", filters={"status": status}, is_oldest_first=True)
    states = {Status.QUEUED: 1} if states is None else states
    return page.build(viewer_context(*rights), run, states, rows or list_page(), address=address, now=NOW)


# --- What was requested


@pytest.mark.parametrize(
    ("options", "devices", "title"),
    [
        ({"pcap": {}}, 1, "Packet capture on 1 device"),
        ({"pcap": {}}, 12, "Packet capture on 12 devices"),
        ({"warp-diag": {}, "speed-test": {}}, 2, "WARP diag and Speed test on 2 devices"),
        ({"remote-shell": {}}, 2, "remote-shell on 2 devices"),
        ({}, 2, "Commands on 2 devices"),
    ],
)
def test_title_names_kinds_and_counts_devices(options: Any, devices: int, title: str) -> None:
    assert shown_run(run=unsaved_run(options=options, devices=devices)).title == title


def test_every_kind_has_its_options() -> None:
    shown = shown_run(
        run=unsaved_run(options={"pcap": {"time-limit-min": 5}, "warp-diag": {}, "remote-shell": {"a": 1}})
    )
    assert shown.kinds == [
        RequestedKind("Packet capture", "5 min"),
        RequestedKind("WARP diag", ""),
        RequestedKind("remote-shell", ""),
    ]


def test_page_tells_who_requested_the_run() -> None:
    omar = unsaved_user("omar", pk=8, first_name="Omar", last_name="Diaz")
    assert shown_run().requester == "you"
    assert shown_run(run=unsaved_run(requested_by=omar)).requester == "Omar Diaz"


def test_page_tells_why_the_run_was_requested() -> None:
    shown = shown_run(run=unsaved_run(ticket="INC-1", purpose="Support", reason="VPN slow"))
    assert (shown.purpose, shown.reason, shown.ticket) == ("Support", "VPN slow", "INC-1")
    assert shown.ticket_url == f"/history/?account={ACCOUNT_ID}&ticket=INC-1"
    assert shown_run().ticket_url == ""


# --- Buttons


@pytest.mark.parametrize("status", Status)
def test_status_decides_whether_a_run_can_be_withdrawn_or_retried(status: Status) -> None:
    run = unsaved_run()
    shown = shown_run({status: 2}, run=run)
    unsent, failed = status in WITHDRAWABLE, status in RETRIED
    assert (shown.unsent, shown.withdraw_url) == ((2, f"/runs/{run.id}/withdraw") if unsent else (0, ""))
    assert (shown.to_repeat, shown.again_url) == ((2, f"/runs/{run.id}/again") if failed else (0, ""))


def test_buttons_count_the_commands_of_all_their_statuses() -> None:
    shown = shown_run({Status.WAITING_DEVICE: 1, Status.QUEUED: 2, Status.FAILED: 3, Status.EXPIRED: 4})
    assert (shown.unsent, shown.to_repeat) == (3, 7)
    assert shown.again_label == "Retry 7 failed"


def test_viewer_without_the_right_to_run_sees_counts_and_why_the_buttons_are_disabled() -> None:
    shown = shown_run(MIXED, rights=READER)
    assert (shown.unsent, shown.to_repeat) == (2, 3)
    assert (shown.withdraw_url, shown.again_url) == ("", "")
    assert shown.no_right == "You don't have the right to run commands."


def test_viewer_with_the_right_to_run_lacks_no_right() -> None:
    assert shown_run(MIXED).no_right == ""


def test_every_page_has_a_key_of_its_own() -> None:
    assert shown_run().again_key != shown_run().again_key


# --- Commands


def test_list_counts_finished_commands() -> None:
    commands = shown_run(MIXED).commands
    assert commands.count == "7 of 10 finished"
    assert commands.live == "7 of 10 finished"
    assert commands.progress == (7, 10)


@pytest.mark.parametrize("status", Status)
def test_open_commands_have_not_finished(status: Status) -> None:
    is_open = status in WITHDRAWABLE | {
        Status.SENDING,
        Status.UNCERTAIN,
        Status.PENDING_EXEC,
        Status.PENDING_UPLOAD,
    }
    assert shown_run({status: 3}).commands.count == ("0 of 3 finished" if is_open else "3 of 3 finished")


def test_chips_are_all_commands_and_every_status_of_the_run() -> None:
    run = unsaved_run()
    [group] = shown_run(MIXED, run=run).commands.filters
    url = f"/runs/{run.id}/?account={ACCOUNT_ID}"
    assert [(link.label, link.count, link.is_on, link.url) for link in group.links] == [
        ("All", "10", True, url),
        ("Queued", "2", False, f"{url}&status=queued"),
        ("Running", "1", False, f"{url}&status=PENDING_EXEC"),
        ("Done", "4", False, f"{url}&status=SUCCESS"),
        ("Failed", "3", False, f"{url}&status=FAILED"),
    ]


def test_chip_of_the_chosen_status_is_on() -> None:
    [group] = shown_run(MIXED, status=Status.FAILED).commands.filters
    assert [link.label for link in group.links if link.is_on] == ["Failed"]


def test_chips_of_a_large_run_count_no_further_than_other_lists() -> None:
    [group] = shown_run({Status.QUEUED: 1200}).commands.filters
    assert [link.count for link in group.links] == ["1000+", "1000+"]


def test_status_that_no_command_has_any_more_leads_to_all_commands() -> None:
    run = unsaved_run()
    empty = shown_run(run=run, status=Status.SENDING).commands.empty
    assert (empty.title, empty.link) == ("No commands have this status any more.", "All commands of this run")
    assert empty.url == f"/runs/{run.id}/?account={ACCOUNT_ID}"


def test_rows_repeat_neither_requester_nor_ticket() -> None:
    commands = shown_run(rows=list_page(unsaved_command())).commands
    assert len(commands.rows) == 1
    assert not commands.columns.requester
    assert not commands.columns.ticket


def test_rows_can_be_selected_only_with_the_right_to_run() -> None:
    assert shown_run().commands.columns.selection
    assert not shown_run(rights=READER).commands.columns.selection


def test_next_page_continues_with_later_commands_of_the_same_status() -> None:
    run, command = unsaved_run(), unsaved_command()
    commands = shown_run(run=run, rows=list_page(command, has_more=True), status=Status.QUEUED).commands
    assert commands.next_url == f"/runs/{run.id}/?account={ACCOUNT_ID}&status=queued&after={command.id}"


# --- Messages after a withdrawal


def withdrawn(count: int, kept: Mapping[str, Status] | None = None) -> list[str]:
    """Return the messages about LAP-1, LAP-2, ... that were withdrawn, and about these that were not."""
    done = {uuid4(): name for name in reversed(names(count))}
    others = {uuid4(): (name, status) for name, status in (kept or {}).items()}
    all_names = done | {id_: name for id_, (name, _) in others.items()}
    return withdrawal_messages(list(done), {id_: status for id_, (_, status) in others.items()}, all_names)


def test_message_names_the_withdrawn_devices_in_order() -> None:
    assert withdrawn(1) == ["Withdrawn: LAP-1."]
    assert withdrawn(3) == ["Withdrawn: LAP-1, LAP-2, LAP-3."]


def test_message_names_five_devices_and_counts_the_others() -> None:
    assert withdrawn(7) == ["Withdrawn: LAP-1, LAP-2, LAP-3, LAP-4, LAP-5 and 2 more."]


def test_commands_that_were_not_withdrawn_are_named_by_their_status() -> None:
    kept = {"PC-2": Status.SUCCESS, "PC-3": Status.SENDING, "PC-1": Status.SENDING}
    assert withdrawn(1, kept) == [
        "Withdrawn: LAP-1.",
        "Not withdrawn, sending already: PC-1, PC-3.",
        "Not withdrawn, done already: PC-2.",
    ]


def test_message_names_five_kept_devices_and_counts_the_others() -> None:
    [message] = withdrawn(0, dict.fromkeys(names(6), Status.SENDING))
    assert message == "Not withdrawn, sending already: LAP-1, LAP-2, LAP-3, LAP-4, LAP-5 and 1 more."


def test_nothing_left_to_withdraw_has_a_message_too() -> None:
    assert withdrawn(0) == ["Everything has already been sent."]
