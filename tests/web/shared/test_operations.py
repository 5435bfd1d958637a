"""Operations that commands allow, and the messages about their result."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commands.rules.policies import Refusal, RefusalCode
from commands.rules.states import DONE, UNSENT, Status
from commands.rules.wording.refusals import describe_refusal
from commands.web.shared import operations
from commands.web.shared.operations import CommandOperations, RowOperation
from tests.web.unsaved import (
    HELPDESK,
    NOW,
    READER,
    names,
    started_elsewhere,
    unsaved_account,
    unsaved_command,
)

REFUSED = Refusal(RefusalCode.ALREADY_SENT)
WHY_REFUSED = "It has already been sent, and Cloudflare can't cancel it."


def offered(command: Any, rights: Any = HELPDESK) -> CommandOperations:
    return operations.build(command, rights, now=NOW)


# --- Operations by status


@pytest.mark.parametrize("status", Status)
def test_status_decides_which_operations_are_allowed(status: Status) -> None:
    allowed = "withdraw" if status in UNSENT else "again" if status in DONE else ""
    assert operations.allowed_operations(unsaved_command(status)) == allowed


@pytest.mark.parametrize("status", Status)
def test_only_a_queued_command_on_hold_can_be_sent_now(status: Status) -> None:
    command = unsaved_command(status, held_at=NOW)
    is_allowed = "send-now" in operations.allowed_operations(command).split()
    assert is_allowed == (status is Status.QUEUED)
    assert operations.is_held(command) == is_allowed


@pytest.mark.parametrize("status", Status)
def test_command_that_was_started_elsewhere_can_only_be_run_again(status: Status) -> None:
    command = started_elsewhere(status, held_at=NOW)
    assert operations.allowed_operations(command) == ("again" if status in DONE else "")


@pytest.mark.parametrize("status", Status)
def test_command_of_an_unknown_kind_cannot_be_run_again(status: Status) -> None:
    assert "again" not in operations.allowed_operations(unsaved_command(status, kind="remote-shell"))


@pytest.mark.parametrize(
    ("operation", "status", "sentence"),
    [
        (RowOperation.AGAIN, Status.PENDING_EXEC, "It hasn't finished yet: running."),
        (RowOperation.WITHDRAW, Status.PENDING_EXEC, WHY_REFUSED),
        (RowOperation.WITHDRAW, Status.SUCCESS, "It has already finished: done."),
        (RowOperation.SEND_NOW, Status.QUEUED, "It isn't on hold."),
    ],
)
def test_refusal_tells_why(operation: RowOperation, status: Status, sentence: str) -> None:
    refusal = operations.refusal(operation, unsaved_command(status))
    assert refusal is not None
    assert describe_refusal(refusal) == sentence


@pytest.mark.parametrize("operation", [RowOperation.WITHDRAW, RowOperation.SEND_NOW])
def test_refusal_tells_that_a_command_was_started_elsewhere(operation: RowOperation) -> None:
    assert operations.refusal(operation, started_elsewhere()) == Refusal(RefusalCode.STARTED_ELSEWHERE)


@pytest.mark.parametrize("status", Status)
def test_command_that_was_not_withdrawn_although_it_is_unsent_changed_in_the_meantime(status: Status) -> None:
    code = operations.withdrawal_refusal(status).code
    assert (code is RefusalCode.CHANGED_MEANWHILE) == (status in UNSENT)


# --- Page of one command


@pytest.mark.parametrize("status", Status)
def test_page_offers_what_the_status_allows(status: Status) -> None:
    command = unsaved_command(status)
    shown = offered(command)
    assert shown.withdraw_url == ("/commands/act" if status in UNSENT else "")
    assert shown.again_url == (f"/commands/{command.id}/run-again" if status in DONE else "")
    assert shown.send_now_url == ""


@pytest.mark.parametrize("status", Status)
def test_page_offers_nothing_without_the_right_to_run(status: Status) -> None:
    shown = offered(unsaved_command(status, held_at=NOW), READER)
    assert (shown.withdraw_url, shown.again_url, shown.send_now_url) == ("", "", "")


def test_page_offers_to_send_a_held_command_now() -> None:
    command = unsaved_command(Status.QUEUED, held_at=NOW)
    assert offered(command).send_now_url == f"/commands/{command.id}/send-now"


@pytest.mark.parametrize("account", [unsaved_account(retired_at=NOW), unsaved_account(credential=None)])
def test_command_of_an_account_that_cannot_run_is_not_run_again(account: Any) -> None:
    assert offered(unsaved_command(Status.SUCCESS, account=account)).again_url == ""


def test_button_names_device_and_person() -> None:
    assert offered(unsaved_command()).again_label == "Run again on LAP-0042 (maria@example.com)"
    assert offered(unsaved_command(email="")).again_label == "Run again on LAP-0042"


def test_every_page_has_a_key_of_its_own() -> None:
    command = unsaved_command(Status.SUCCESS)
    assert offered(command).again_key != offered(command).again_key


def test_unconfirmed_command_may_still_run() -> None:
    # 10 min offline + 2 min capture + 15 min upload
    shown = offered(unsaved_command(Status.UNCONFIRMED, requested_at=NOW - timedelta(minutes=20)))
    assert shown.again_warning == "The earlier one may still be running, until"
    assert shown.runs_until == NOW + timedelta(minutes=7)


def test_unconfirmed_command_does_not_run_for_ever() -> None:
    shown = offered(unsaved_command(Status.UNCONFIRMED, requested_at=NOW - timedelta(minutes=27)))
    assert shown.again_warning == "We don't know if the earlier one ran, but it's over by now."
    assert shown.runs_until is None


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.UNCONFIRMED}))
def test_command_with_a_known_outcome_has_no_warning(status: Status) -> None:
    shown = offered(unsaved_command(status))
    assert (shown.again_warning, shown.runs_until) == ("", None)


# --- Messages


def messages(
    operation: RowOperation, done: int, refused: Mapping[str, Refusal] | None = None
) -> tuple[list[str], list[str]]:
    """Return the messages about commands LAP-1, LAP-2, ... that changed, and about these that were refused."""
    refusals: dict[UUID, Refusal] = {}
    commands = [unsaved_command(device_name=name) for name in names(done)]
    for name, refusal in (refused or {}).items():
        command = unsaved_command(device_name=name)
        commands.append(command)
        refusals[command.id] = refusal
    return operations.result_messages(operation, commands, refusals)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (RowOperation.AGAIN, "1 command run again: LAP-1."),
        (RowOperation.WITHDRAW, "1 command withdrawn: LAP-1."),
        (RowOperation.SEND_NOW, "1 command released, sending shortly: LAP-1."),
    ],
)
def test_message_about_one_command(operation: RowOperation, message: str) -> None:
    assert messages(operation, 1) == ([message], [])


def test_message_names_every_command_up_to_five() -> None:
    [message], _ = messages(RowOperation.WITHDRAW, 5)
    assert message == "5 commands withdrawn: LAP-1, LAP-2, LAP-3, LAP-4, LAP-5."


def test_message_names_five_commands_and_counts_the_others() -> None:
    [message], _ = messages(RowOperation.WITHDRAW, 7)
    assert message == "7 commands withdrawn: LAP-1, LAP-2, LAP-3, LAP-4, LAP-5 and 2 more."


@pytest.mark.parametrize(
    ("operation", "not_done"),
    [
        (RowOperation.AGAIN, "LAP-X was not run again."),
        (RowOperation.WITHDRAW, "LAP-X was not withdrawn."),
        (RowOperation.SEND_NOW, "LAP-X was not released."),
    ],
)
def test_message_about_a_refused_command_tells_why(operation: RowOperation, not_done: str) -> None:
    assert messages(operation, 0, {"LAP-X": REFUSED}) == ([], [f"{not_done} {WHY_REFUSED}"])


def test_commands_that_were_refused_for_the_same_reason_have_one_message() -> None:
    other = Refusal(RefusalCode.NOT_ON_HOLD)
    done, others = messages(RowOperation.WITHDRAW, 1, {"LAP-X": REFUSED, "LAP-Y": other, "LAP-Z": REFUSED})
    assert done == ["1 command withdrawn: LAP-1."]
    assert others == [
        f"LAP-X, LAP-Z were not withdrawn. {WHY_REFUSED}",
        "LAP-Y was not withdrawn. It isn't on hold.",
    ]


def test_message_names_five_refused_commands_and_counts_the_others() -> None:
    _, [message] = messages(RowOperation.WITHDRAW, 0, dict.fromkeys(names(6), REFUSED))
    assert message == f"LAP-1, LAP-2, LAP-3, LAP-4, LAP-5 and 1 more were not withdrawn. {WHY_REFUSED}"


def test_device_without_a_name_is_named_by_its_id() -> None:
    command = unsaved_command(device_name="", device_id="d42")
    done, _ = operations.result_messages(RowOperation.WITHDRAW, [command], {})
    assert done == ["1 command withdrawn: d42."]


def test_nothing_done_and_nothing_refused_is_no_message() -> None:
    assert messages(RowOperation.WITHDRAW, 0) == ([], [])
