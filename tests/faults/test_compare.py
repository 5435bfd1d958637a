"""Tests of the comparison: it finds every kind of error, and tells twins from losses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.rules.states import ArtifactStatus, Status
from tests.faults.compare import LedgerEntry, RecordedCommand, RecordedEvent, Tag, UserActions, Verdict, compare
from tests.faults.compare_files import FileRecord, UnloggedFailures

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TAG = Tag("acme", "laptop", "pcap", '{"packet-size-bytes": "101"}')
OTHER_TAG = replace(TAG, options="{}")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


HISTORY = (
    RecordedEvent(1, at(0), "requested", "person", "", "queued"),
    RecordedEvent(2, at(1), "moved", "portal", "queued", "sending"),
    RecordedEvent(3, at(2), "moved", "cloudflare", "sending", "SUCCESS"),
)
NO_ACTIONS = UserActions()
STORED = FileRecord(ArtifactStatus.STORED, is_stored=True)
COMMAND = RecordedCommand(
    "c1",
    TAG,
    Status.SUCCESS,
    3,
    "r1",
    created_from=at(-2),
    created_until=at(9),
    requested_at=at(0),
    file=STORED,
    history=HISTORY,
)
ENTRY = LedgerEntry("r1", TAG, at(1.5), foreign=False)
TWIN_ENTRY = LedgerEntry("r2", OTHER_TAG, at(2), foreign=True)


def imported(entry: LedgerEntry) -> RecordedCommand:
    history = (RecordedEvent(1, at(9), "imported", "cloudflare", "", "SUCCESS"),)
    return RecordedCommand("i1", entry.tag, Status.SUCCESS, 1, entry.id, started_elsewhere=True, history=history)


def ended_as(status: Status, **values: Any) -> RecordedCommand:
    """Return our command with this final status and a matching history, without a file."""
    *before, last = HISTORY
    return replace(
        COMMAND, **{"status": status, "file": None, "history": (*before, replace(last, to_status=status)), **values}
    )


def compare_one(
    record: list[RecordedCommand], ledger: list[LedgerEntry], times: int = 1, user_actions: UserActions = NO_ACTIONS
) -> Verdict:
    return compare([TAG] * times, record, ledger, expected=times, imports_due=at(60), user_actions=user_actions)


def test_command_that_owns_its_only_entry_is_clean() -> None:
    verdict = compare_one([COMMAND], [ENTRY])
    assert verdict.is_clean
    assert verdict.summary() == "1 commands: 0 lost, 0 doubled, 0 stuck"


def test_requested_command_without_record_is_lost() -> None:
    assert compare_one([], []).lost


def test_fewer_requests_than_expected_are_wrong() -> None:
    assert compare([TAG], [COMMAND], [ENTRY], expected=2, imports_due=at(60)).wrong


def test_recorded_command_without_request_is_wrong() -> None:
    assert compare_one(
        [COMMAND, replace(COMMAND, id="c2", tag=OTHER_TAG, remote_id="", status=Status.EXPIRED)], [ENTRY]
    ).wrong


def test_command_requested_once_and_recorded_twice_is_doubled() -> None:
    assert compare_one([COMMAND, ended_as(Status.EXPIRED, id="c2", remote_id="")], [ENTRY]).doubled


@pytest.mark.parametrize(
    ("our_status", "cloudflare_status"), [("SUCCESS", "FAILED"), ("FAILED", "SUCCESS"), ("SUCCESS", "PENDING_EXEC")]
)
def test_final_status_other_than_cloudflares_is_lost(our_status: str, cloudflare_status: str) -> None:
    assert compare_one([ended_as(Status(our_status), file=STORED)], [replace(ENTRY, status=cloudflare_status)]).lost


def test_foreign_command_with_another_final_status_is_wrong() -> None:
    assert compare_one([COMMAND, imported(TWIN_ENTRY)], [ENTRY, TWIN_ENTRY]).is_clean
    assert compare_one([COMMAND, imported(TWIN_ENTRY)], [ENTRY, replace(TWIN_ENTRY, status="FAILED")]).wrong


def test_command_that_ran_again_has_an_entry_for_each_request() -> None:
    again = replace(COMMAND, id="c2", remote_id="r2", requested_at=at(20), created_from=at(19), created_until=at(30))
    second_entry = replace(ENTRY, id="r2", created_at=at(21))
    assert compare_one([COMMAND, again], [ENTRY, second_entry], times=2).is_clean
    assert compare_one([COMMAND, again], [ENTRY, second_entry, replace(second_entry, id="r3")], times=2).doubled
    assert compare_one([COMMAND], [ENTRY], times=2).lost
    assert compare_one([COMMAND, replace(again, remote_id="r1")], [ENTRY, second_entry], times=2).doubled


def test_two_commands_in_flight_on_one_device_are_wrong_unless_consecutive() -> None:
    first, entries = replace(COMMAND, claimed_at=at(1)), [ENTRY, replace(ENTRY, id="r2", created_at=at(21))]
    again = replace(COMMAND, id="c2", remote_id="r2", requested_at=at(20), created_from=at(19), created_until=at(30))
    assert compare_one([first, replace(again, claimed_at=at(2))], entries, times=2).is_clean
    assert compare_one([first, replace(again, claimed_at=at(1.9))], entries, times=2).wrong


def test_command_given_up_before_three_listings_without_it_is_wrong() -> None:
    uncertain = RecordedEvent(3, at(2), "moved", "portal", "sending", "uncertain")
    history = (*HISTORY[:2], uncertain, RecordedEvent(4, at(9), "moved", "portal", "uncertain", "unconfirmed"))
    row = ended_as(Status.UNCONFIRMED, remote_id="", version=4, history=history)
    assert compare_one([replace(row, missed_listings=3)], []).is_clean
    assert compare_one([replace(row, missed_listings=2)], []).wrong


# --- Operations of people ---


def test_command_withdrawn_without_a_request_is_wrong() -> None:
    row = ended_as(Status.WITHDRAWN, remote_id="", run_id="run", history=())
    withdrawn = replace(
        row, history=(HISTORY[0], RecordedEvent(2, at(1), "moved", "person", "queued", "withdrawn")), version=2
    )
    assert compare_one([withdrawn], []).wrong
    assert compare_one([withdrawn], [], user_actions=UserActions(withdrawn_runs=frozenset({"run"}))).is_clean
    assert compare_one([withdrawn], [ENTRY], user_actions=UserActions(withdrawn_runs=frozenset({"run"}))).lost


def test_history_shows_a_release_exactly_if_it_was_requested() -> None:
    released = replace(COMMAND, version=4, history=(*HISTORY, RecordedEvent(4, at(3), "send_now", "person")))
    actions = UserActions(release_requested=frozenset({"c1"}), released=frozenset({"c1"}))
    assert compare_one([released], [ENTRY], user_actions=actions).is_clean
    assert compare_one([released], [ENTRY]).wrong
    assert compare_one([COMMAND], [ENTRY], user_actions=actions).wrong


# --- Files ---


@pytest.mark.parametrize(
    "file",
    [None, *(FileRecord(status) for status in ArtifactStatus)],
    ids=["none", *ArtifactStatus],
)
def test_success_without_a_stored_file_is_wrong_in_every_artifact_status(file: FileRecord | None) -> None:
    assert compare_one([replace(COMMAND, file=file)], [ENTRY]).wrong


@pytest.mark.parametrize("status", [ArtifactStatus.STORED, ArtifactStatus.READ, ArtifactStatus.UNREADABLE])
def test_success_with_a_stored_file_is_clean(status: ArtifactStatus) -> None:
    assert compare_one([replace(COMMAND, file=FileRecord(status, is_stored=True))], [ENTRY]).is_clean


def test_refused_file_needs_three_faults_or_worker_deaths() -> None:
    refused = [replace(COMMAND, file=FileRecord(ArtifactStatus.REFUSED))]
    three_faults = replace(ENTRY, fetched=(("cut_short",), ("gzip", "no_etag"), ("reset",)))
    two_faults = replace(ENTRY, fetched=(("cut_short",), ("weak_etag",), ("reset",)))
    assert compare_one(refused, [three_faults]).is_clean
    assert compare_one(refused, [two_faults]).wrong
    assert compare_one(
        refused, [two_faults], user_actions=UserActions(unlogged_failures=UnloggedFailures(deaths=1))
    ).is_clean
    assert compare_one(
        refused,
        [replace(ENTRY, fetched=((), (), ()))],
        user_actions=UserActions(unlogged_failures=UnloggedFailures(deaths=9)),
    ).wrong


def test_gone_file_needs_errors_from_cloudflare() -> None:
    gone = [replace(COMMAND, file=FileRecord(ArtifactStatus.GONE))]
    assert compare_one(gone, [replace(ENTRY, fetched=(("error",), ("error",), ("error",)))]).is_clean
    assert compare_one(gone, [replace(ENTRY, fetched=((), (), ()))]).wrong


@pytest.mark.parametrize("status", [ArtifactStatus.REFUSED, ArtifactStatus.GONE])
def test_outage_explains_a_missing_file_for_thirty_seconds(
    status: ArtifactStatus,
) -> None:
    outage = UserActions(unlogged_failures=UnloggedFailures(outages=(at(20),)))
    for seconds, is_clean in ((19, False), (25, True), (49, True), (51, False)):
        record = [replace(COMMAND, file=FileRecord(status, at(seconds)))]
        assert compare_one(record, [replace(ENTRY, fetched=((), (), ()))], user_actions=outage).is_clean is is_clean


def test_file_of_a_failed_command_is_wrong() -> None:
    assert compare_one([ended_as(Status.FAILED, file=STORED)], [replace(ENTRY, status="FAILED")]).wrong


# --- Entries ---


def test_own_entry_without_a_request_is_lost() -> None:
    assert compare_one([COMMAND], [ENTRY, LedgerEntry("r9", OTHER_TAG, at(1), foreign=False)]).lost


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.REJECTED, Status.EXPIRED])
def test_entry_whose_command_ended_without_it_is_lost(status: Status) -> None:
    assert compare_one([replace(COMMAND, status=status, remote_id="")], [ENTRY]).lost


def test_entry_imported_as_foreign_is_lost_if_its_command_owns_none() -> None:
    assert compare_one([replace(COMMAND, status=Status.UNCONFIRMED, remote_id=""), imported(ENTRY)], [ENTRY]).lost


def test_entry_of_an_unconfirmed_command_is_lost() -> None:
    assert compare_one([replace(COMMAND, status=Status.UNCONFIRMED)], [ENTRY]).lost


def test_command_with_two_entries_is_doubled() -> None:
    assert compare_one([COMMAND], [ENTRY, replace(ENTRY, id="r3")]).doubled


def test_entry_with_two_commands_is_doubled() -> None:
    assert compare_one([COMMAND, replace(COMMAND, id="c2", tag=OTHER_TAG)], [ENTRY]).doubled


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.PENDING_EXEC])
def test_open_command_is_stuck(status: Status) -> None:
    assert compare_one([replace(COMMAND, status=status)], [ENTRY]).stuck


def test_twin_is_reported_but_not_counted_if_the_command_is_marked_uncertain() -> None:
    command = replace(COMMAND, remote_id="r2", match_uncertain=True)
    verdict = compare_one([command, imported(ENTRY)], [ENTRY, TWIN_ENTRY])
    assert verdict.is_clean
    assert verdict.twins
    assert compare_one([replace(command, match_uncertain=False), imported(ENTRY)], [ENTRY, TWIN_ENTRY]).wrong


def test_entry_without_owner_is_lost_even_if_its_command_owns_a_twin() -> None:
    assert compare_one([replace(COMMAND, remote_id="r2", match_uncertain=True)], [ENTRY, TWIN_ENTRY]).lost


@pytest.mark.parametrize(
    "foreign", [replace(TWIN_ENTRY, created_at=at(30)), replace(TWIN_ENTRY, tag=replace(OTHER_TAG, kind="x"))]
)
def test_entry_that_could_not_be_the_commands_own_is_not_a_twin(foreign: LedgerEntry) -> None:
    assert compare_one([replace(COMMAND, remote_id="r2", match_uncertain=True), imported(ENTRY)], [ENTRY, foreign]).lost


def test_command_that_never_landed_may_only_own_a_matching_entry() -> None:
    command = replace(COMMAND, remote_id="r2")
    assert compare_one([command], [TWIN_ENTRY]).is_clean
    assert compare_one([command], [replace(TWIN_ENTRY, created_at=at(30))]).wrong


def test_unrecorded_foreign_command_is_wrong_once_its_import_is_due() -> None:
    assert compare_one([COMMAND], [ENTRY, TWIN_ENTRY]).wrong
    assert compare_one([COMMAND], [ENTRY, replace(TWIN_ENTRY, created_at=at(70))]).is_clean


@pytest.mark.parametrize(
    "history",
    [
        HISTORY[:2],
        (HISTORY[0], HISTORY[2]),
        (HISTORY[0], replace(HISTORY[1], at=at(3)), HISTORY[2]),
        (HISTORY[0], replace(HISTORY[1], mover="person"), HISTORY[2]),
        (HISTORY[0], replace(HISTORY[1], from_status="expired"), HISTORY[2]),
        (*HISTORY[:2], replace(HISTORY[2], to_status="FAILED")),
    ],
    ids=["too short", "version gap", "back in time", "wrong mover", "wrong previous status", "wrong final status"],
)
def test_inconsistent_history_is_wrong(history: tuple[RecordedEvent, ...]) -> None:
    assert compare_one([replace(COMMAND, history=history)], [ENTRY]).wrong
