"""The comparison itself: each thing that must not be is found, and twins are told from losses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.rules.states import ArtifactStatus, Status
from tests.faults.compare import Acts, Entry, Line, Recorded, Tag, Verdict, compare
from tests.faults.files import Filed, Mishaps

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
NOBODY = Acts()
STORED = Filed(ArtifactStatus.STORED, is_there=True)
OURS = Recorded(
    "c1", TAG, Status.SUCCESS, 3, "r1", since=at(-2), until=at(9), requested_at=at(0), file=STORED, history=STORY
)
OWN = Entry("r1", TAG, at(1.5), foreign=False)
TWIN = Entry("r2", OTHERS, at(2), foreign=True)


def imported(entry: Entry) -> Recorded:
    history = (Line(1, at(9), "imported", "cloudflare", "", "SUCCESS"),)
    return Recorded("i1", entry.tag, Status.SUCCESS, 1, entry.id, started_elsewhere=True, history=history)


def ended(status: Status, **values: Any) -> Recorded:
    """Ours, with a history that ends so, and without a file."""
    *before, last = STORY
    return replace(
        OURS, **{"status": status, "file": None, "history": (*before, replace(last, target=status)), **values}
    )


def judged(record: list[Recorded], ledger: list[Entry], times: int = 1, acts: Acts = NOBODY) -> Verdict:
    return compare([TAG] * times, record, ledger, wanted=times, imported_by=at(60), acts=acts)


def test_a_command_that_owns_its_one_entry_is_all_right() -> None:
    verdict = judged([OURS], [OWN])
    assert verdict.is_clean
    assert verdict.line() == "1 commands: 0 lost, 0 doubled, 0 stuck"


def test_what_was_asked_and_is_not_recorded_is_lost() -> None:
    assert judged([], []).lost


def test_fewer_than_were_to_be_asked_are_wrong() -> None:
    assert compare([TAG], [OURS], [OWN], wanted=2, imported_by=at(60)).wrong


def test_what_nobody_asked_for_is_wrong() -> None:
    assert judged([OURS, replace(OURS, id="c2", tag=OTHERS, remote_id="", status=Status.EXPIRED)], [OWN]).wrong


def test_what_was_asked_once_and_is_recorded_twice_is_doubled() -> None:
    assert judged([OURS, ended(Status.EXPIRED, id="c2", remote_id="")], [OWN]).doubled


@pytest.mark.parametrize(
    ("ours", "theirs"), [("SUCCESS", "FAILED"), ("FAILED", "SUCCESS"), ("SUCCESS", "PENDING_EXEC")]
)
def test_another_end_than_cloudflares_is_lost(ours: str, theirs: str) -> None:
    assert judged([ended(Status(ours), file=STORED)], [replace(OWN, status=theirs)]).lost


def test_another_end_of_somebody_elses_command_is_wrong() -> None:
    assert judged([OURS, imported(TWIN)], [OWN, TWIN]).is_clean
    assert judged([OURS, imported(TWIN)], [OWN, replace(TWIN, status="FAILED")]).wrong


def test_what_was_run_again_has_an_entry_for_each_time() -> None:
    again = replace(OURS, id="c2", remote_id="r2", requested_at=at(20), since=at(19), until=at(30))
    its_own = replace(OWN, id="r2", created_at=at(21))
    assert judged([OURS, again], [OWN, its_own], times=2).is_clean
    assert judged([OURS, again], [OWN, its_own, replace(its_own, id="r3")], times=2).doubled
    assert judged([OURS], [OWN], times=2).lost
    assert judged([OURS, replace(again, remote_id="r1")], [OWN, its_own], times=2).doubled


def test_two_in_flight_on_one_machine_are_wrong_and_one_after_the_other_is_not() -> None:
    first, entries = replace(OURS, claimed_at=at(1)), [OWN, replace(OWN, id="r2", created_at=at(21))]
    again = replace(OURS, id="c2", remote_id="r2", requested_at=at(20), since=at(19), until=at(30))
    assert judged([first, replace(again, claimed_at=at(2))], entries, times=2).is_clean
    assert judged([first, replace(again, claimed_at=at(1.9))], entries, times=2).wrong


def test_what_was_given_up_before_three_listings_did_not_have_it_is_wrong() -> None:
    silent = Line(3, at(2), "moved", "portal", "sending", "uncertain")
    history = (*STORY[:2], silent, Line(4, at(9), "moved", "portal", "uncertain", "unconfirmed"))
    row = ended(Status.UNCONFIRMED, remote_id="", version=4, history=history)
    assert judged([replace(row, unlisted=3)], []).is_clean
    assert judged([replace(row, unlisted=2)], []).wrong


# --- What people do ---


def test_only_what_somebody_withdrew_is_withdrawn() -> None:
    row = ended(Status.WITHDRAWN, remote_id="", run_id="run", history=())
    taken_back = replace(row, history=(STORY[0], Line(2, at(1), "moved", "person", "queued", "withdrawn")), version=2)
    assert judged([taken_back], []).wrong
    assert judged([taken_back], [], acts=Acts(runs_withdrawn=frozenset({"run"}))).is_clean
    assert judged([taken_back], [OWN], acts=Acts(runs_withdrawn=frozenset({"run"}))).lost


def test_what_is_let_go_stands_in_the_history_and_nothing_else_does() -> None:
    let_go = replace(OURS, version=4, history=(*STORY, Line(4, at(3), "send_now", "person")))
    said = Acts(to_go=frozenset({"c1"}), let_go=frozenset({"c1"}))
    assert judged([let_go], [OWN], acts=said).is_clean
    assert judged([let_go], [OWN]).wrong
    assert judged([OURS], [OWN], acts=said).wrong


# --- Files ---


@pytest.mark.parametrize(
    "file",
    [None, *(Filed(status) for status in ArtifactStatus)],
    ids=["none", *ArtifactStatus],
)
def test_a_success_without_a_stored_file_is_wrong_whatever_it_is_called(file: Filed | None) -> None:
    assert judged([replace(OURS, file=file)], [OWN]).wrong


@pytest.mark.parametrize("status", [ArtifactStatus.STORED, ArtifactStatus.READ, ArtifactStatus.UNREADABLE])
def test_a_success_with_its_file_is_all_right(status: ArtifactStatus) -> None:
    assert judged([replace(OURS, file=Filed(status, is_there=True))], [OWN]).is_clean


def test_a_file_may_be_refused_only_after_so_many_faults_or_deaths() -> None:
    refused = [replace(OURS, file=Filed(ArtifactStatus.REFUSED))]
    thrice = replace(OWN, fetched=(("cut_short",), ("gzip", "no_etag"), ("reset",)))
    twice = replace(OWN, fetched=(("cut_short",), ("weak_etag",), ("reset",)))
    assert judged(refused, [thrice]).is_clean
    assert judged(refused, [twice]).wrong
    assert judged(refused, [twice], acts=Acts(mishaps=Mishaps(deaths=1))).is_clean
    assert judged(refused, [replace(OWN, fetched=((), (), ()))], acts=Acts(mishaps=Mishaps(deaths=9))).wrong


def test_a_file_may_be_gone_only_where_cloudflare_said_so() -> None:
    gone = [replace(OURS, file=Filed(ArtifactStatus.GONE))]
    assert judged(gone, [replace(OWN, fetched=(("error",), ("error",), ("error",)))]).is_clean
    assert judged(gone, [replace(OWN, fetched=((), (), ()))]).wrong


@pytest.mark.parametrize("status", [ArtifactStatus.REFUSED, ArtifactStatus.GONE])
def test_a_file_may_be_lost_while_cloudflare_hangs_or_its_clock_is_set_and_not_long_after(
    status: ArtifactStatus,
) -> None:
    upset = Acts(mishaps=Mishaps(upsets=(at(20),)))
    for seconds, is_clean in ((19, False), (25, True), (49, True), (51, False)):
        record = [replace(OURS, file=Filed(status, at(seconds)))]
        assert judged(record, [replace(OWN, fetched=((), (), ()))], acts=upset).is_clean is is_clean


def test_a_file_of_what_did_not_succeed_is_wrong() -> None:
    assert judged([ended(Status.FAILED, file=STORED)], [replace(OWN, status="FAILED")]).wrong


# --- Entries ---


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
