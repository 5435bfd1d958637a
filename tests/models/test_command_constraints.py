"""Database constraints of commands, generated from `rules/states.py` where it has the rule."""

import pytest
from django.db import IntegrityError, transaction

from commands.models import Command, Run
from commands.rules.kinds import CAPTURES, Kind
from commands.rules.states import DONE, IN_FLIGHT, REMOTE, UNSENT, Status
from tests.rows import make_command

STRANGE = ["", "sent", "pending_exec", "Success", "QUEUED", "purged", "unknown"]
BOTH_IN_FLIGHT = [(first, second) for first in sorted(IN_FLIGHT) for second in sorted(IN_FLIGHT)]


def refuses(constraint: str, action: object) -> None:
    """Expect the constraint to be violated. SQLite names the columns of a unique index instead of the index."""
    assert callable(action)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        action()
    assert constraint in str(refusal.value) or "UNIQUE constraint failed" in str(refusal.value)


@pytest.mark.parametrize("status", sorted(Status))
def test_every_known_status_is_accepted(run: Run, status: Status) -> None:
    assert make_command(run, status).status == status


@pytest.mark.parametrize("status", STRANGE)
def test_unknown_status_is_refused(run: Run, status: str) -> None:
    refuses("command_status_known", lambda: make_command(run, status))


@pytest.mark.parametrize("status", STRANGE)
def test_update_to_an_unknown_status_is_refused(run: Run, status: str) -> None:
    command = make_command(run)
    refuses("command_status_known", lambda: Command.objects.filter(id=command.id).update(status=status))


@pytest.mark.parametrize("status", sorted(IN_FLIGHT))
def test_own_command_in_flight_needs_a_dispatch(run: Run, status: Status) -> None:
    refuses("command_in_flight_has_dispatch", lambda: make_command(run, status, dispatch=None))


@pytest.mark.parametrize("status", sorted(UNSENT))
def test_unsent_command_has_no_cloudflare_id(run: Run, status: Status) -> None:
    refuses("command_unsent_has_no_remote_id", lambda: make_command(run, status, remote_id="cf-1"))


@pytest.mark.parametrize("status", REMOTE)
def test_status_from_cloudflare_needs_a_cloudflare_id(run: Run, status: Status) -> None:
    refuses("command_remote_has_remote_id", lambda: make_command(run, status, remote_id=""))


@pytest.mark.parametrize("status", [status for status in sorted(DONE) if status not in REMOTE])
def test_final_status_of_our_own_needs_no_cloudflare_id(run: Run, status: Status) -> None:
    assert make_command(run, status).remote_id == ""


def test_cloudflare_id_is_unique_in_an_account(run: Run) -> None:
    make_command(run, Status.SUCCESS, remote_id="cf-1")
    refuses("command_once_a_remote_id", lambda: make_command(run, Status.FAILED, remote_id="cf-1"))


@pytest.mark.parametrize(("first", "second"), BOTH_IN_FLIGHT)
def test_machine_has_one_command_of_a_kind_in_flight(run: Run, first: Status, second: Status) -> None:
    make_command(run, first, device_id="machine")
    refuses("command_one_in_flight_a_kind", lambda: make_command(run, second, device_id="machine"))


@pytest.mark.parametrize("status", sorted(UNSENT | DONE))
def test_machine_can_have_many_commands_that_are_not_in_flight(run: Run, status: Status) -> None:
    make_command(run, Status.SENDING, device_id="machine")
    make_command(run, status, device_id="machine")
    make_command(run, status, device_id="machine")
    assert Command.objects.filter(device_id="machine").count() == 3


def test_windows_machine_has_one_capture_of_any_kind_in_flight(run: Run) -> None:
    make_command(run, Status.SENDING, device_id="machine", platform="windows", kind=Kind.PCAP)
    refuses(
        "command_one_capture_on_windows",
        lambda: make_command(run, Status.SENDING, device_id="machine", platform="windows", kind=Kind.WARP_DIAG),
    )


@pytest.mark.parametrize("kind", sorted(CAPTURES))
def test_constraint_on_windows_covers_every_kind_of_capture(run: Run, kind: Kind) -> None:
    (constraint,) = (c for c in Command._meta.constraints if c.name == "command_one_capture_on_windows")
    assert f"'{kind.value}'" in repr(constraint)


def test_windows_machine_can_run_a_speed_test_during_a_capture(run: Run) -> None:
    make_command(run, Status.SENDING, device_id="machine", platform="windows", kind=Kind.PCAP)
    make_command(run, Status.SENDING, device_id="machine", platform="windows", kind=Kind.SPEED_TEST)
    assert Command.objects.in_flight().count() == 2


def test_mac_can_run_two_kinds_of_capture(run: Run) -> None:
    make_command(run, Status.SENDING, device_id="machine", platform="mac", kind=Kind.PCAP)
    make_command(run, Status.SENDING, device_id="machine", platform="mac", kind=Kind.WARP_DIAG)
    assert Command.objects.in_flight().count() == 2


def test_command_started_elsewhere_blocks_no_command_of_ours(run: Run) -> None:
    make_command(run, Status.PENDING_EXEC, device_id="machine", run=None, requested_by=None, started_elsewhere=True)
    make_command(run, Status.SENDING, device_id="machine")
    assert Command.objects.ours().in_flight().count() == 1


def test_own_command_needs_a_run_and_a_requester(run: Run) -> None:
    refuses("command_of_ours_has_run", lambda: make_command(run, run=None))
    refuses("command_of_ours_has_run", lambda: make_command(run, requested_by=None))


def test_command_started_elsewhere_has_no_run_and_no_requester(run: Run) -> None:
    refuses("command_of_ours_has_run", lambda: make_command(run, Status.SUCCESS, started_elsewhere=True))
