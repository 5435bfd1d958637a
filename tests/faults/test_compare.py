"""The comparison itself: each thing that must not be is found, and twins are told from losses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from commands.states import Status
from tests.faults.compare import Entry, Line, Recorded, Tag, Verdict, compare

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TAG = Tag("acme", "laptop", "pcap", '{"packet-size-bytes": "101"}')
OTHERS = replace(TAG, options="{}")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


STORY = (
    Line(1, at(0), "asked", "person", "", "queued"),
    Line(2, at(1), "moved", "portal", "queued", "sending"),
    Line(3, at(2), "moved", "cloudflare", "sending", "SUCCESS"),
)
OURS = Recorded("c1", TAG, Status.SUCCESS, 3, "r1", since=at(-2), until=at(9), history=STORY)
OWN = Entry("r1", TAG, at(1.5), foreign=False)
TWIN = Entry("r2", OTHERS, at(2), foreign=True)


def imported(entry: Entry) -> Recorded:
    history = (Line(1, at(9), "imported", "cloudflare", "", "SUCCESS"),)
    return Recorded("i1", entry.tag, Status.SUCCESS, 1, entry.id, started_elsewhere=True, history=history)


def judged(record: list[Recorded], ledger: list[Entry], asked: Tag = TAG) -> Verdict:
    return compare([asked], record, ledger, imported_by=at(60))


def test_a_command_that_owns_its_one_entry_is_all_right() -> None:
    verdict = judged([OURS], [OWN])
    assert verdict.is_clean
    assert verdict.line() == "1 commands: 0 lost, 0 doubled, 0 stuck"


def test_what_was_asked_and_is_not_recorded_is_lost() -> None:
    assert judged([], []).lost


def test_an_entry_of_ours_that_nobody_asked_for_is_lost() -> None:
    assert judged([OURS], [OWN, Entry("r9", OTHERS, at(1), foreign=False)]).lost


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.REJECTED, Status.EXPIRED])
def test_an_entry_whose_command_ended_without_it_is_lost(status: Status) -> None:
    assert judged([replace(OURS, status=status, remote_id="")], [OWN]).lost


def test_an_entry_that_is_taken_for_somebody_elses_is_lost_where_its_command_holds_none() -> None:
    assert judged([replace(OURS, status=Status.UNCONFIRMED, remote_id=""), imported(OWN)], [OWN]).lost


def test_an_entry_with_an_id_and_without_an_end_is_lost() -> None:
    assert judged([replace(OURS, status=Status.UNCONFIRMED)], [OWN]).lost


def test_two_entries_of_one_command_are_doubled() -> None:
    assert judged([OURS], [OWN, replace(OWN, id="r3")]).doubled


def test_two_commands_of_one_entry_are_doubled() -> None:
    assert judged([OURS, replace(OURS, id="c2", tag=OTHERS)], [OWN]).doubled


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.PENDING_EXEC])
def test_what_is_still_open_in_the_end_is_stuck(status: Status) -> None:
    assert judged([replace(OURS, status=status)], [OWN]).stuck


def test_a_twin_is_told_and_not_counted_only_where_the_command_says_likely() -> None:
    held = replace(OURS, remote_id="r2", likely=True)
    verdict = judged([held, imported(OWN)], [OWN, TWIN])
    assert verdict.is_clean
    assert verdict.twins
    assert judged([replace(held, likely=False), imported(OWN)], [OWN, TWIN]).wrong


def test_a_twin_excuses_no_entry_that_nobody_owns() -> None:
    assert judged([replace(OURS, remote_id="r2", likely=True)], [OWN, TWIN]).lost


@pytest.mark.parametrize("foreign", [replace(TWIN, created_at=at(30)), replace(TWIN, tag=replace(OTHERS, kind="x"))])
def test_what_could_not_have_been_its_own_is_no_twin(foreign: Entry) -> None:
    assert judged([replace(OURS, remote_id="r2", likely=True), imported(OWN)], [OWN, foreign]).lost


def test_a_command_that_never_landed_may_hold_what_looks_like_it_and_nothing_else() -> None:
    held = replace(OURS, remote_id="r2")
    assert judged([held], [TWIN]).is_clean
    assert judged([held], [replace(TWIN, created_at=at(30))]).wrong


def test_somebody_elses_command_that_is_not_recorded_is_wrong_once_it_is_old_enough() -> None:
    assert judged([OURS], [OWN, TWIN]).wrong
    assert judged([OURS], [OWN, replace(TWIN, created_at=at(70))]).is_clean


@pytest.mark.parametrize(
    "history",
    [
        STORY[:2],
        (STORY[0], STORY[2]),
        (STORY[0], replace(STORY[1], at=at(3)), STORY[2]),
        (STORY[0], replace(STORY[1], mover="person"), STORY[2]),
        (STORY[0], replace(STORY[1], source="expired"), STORY[2]),
        (*STORY[:2], replace(STORY[2], target="FAILED")),
    ],
    ids=["too short", "a gap", "back in time", "not by that mover", "not from there", "another end"],
)
def test_a_history_out_of_order_is_wrong(history: tuple[Line, ...]) -> None:
    assert judged([replace(OURS, history=history)], [OWN]).wrong
