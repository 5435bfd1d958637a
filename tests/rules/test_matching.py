"""Rules of matching, each in a test of its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from commands.rules.kinds import Kind
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import (
    Adopt,
    Advance,
    Ambiguous,
    CastDoubt,
    Clock,
    Decision,
    Import,
    LeaveAlone,
    LeaveReason,
    Note,
    Ours,
    Sent,
    TakeOver,
    match,
)
from commands.rules.states import REMOTE, Status

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CLOCK = Clock(NOW, import_age=timedelta(minutes=12))
_numbers = count(1)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def ours(
    status: Status = Status.UNCERTAIN,
    *,
    claimed: float = 4,
    ended: float | None = 3,
    device_id: str = "laptop",
    registration_id: str = "reg",
    email: str = "maria@example.com",
    remote_id: str = "",
    kind: Kind = Kind.PCAP,
) -> Ours:
    """Return a command of ours. `claimed` and the end of the POST are given in minutes before now."""
    post_ended_at = None if ended is None else NOW - minutes(ended)
    sent = Sent(NOW - minutes(claimed), NOW - minutes(claimed - 2), post_ended_at)
    identity = UUID(int=next(_numbers))
    return Ours(identity, status, kind, device_id, registration_id, email, remote_id, sent=sent)


def imported(remote_id: str, status: Status = Status.PENDING_EXEC) -> Ours:
    identity = UUID(int=next(_numbers))
    return Ours(identity, status, Kind.PCAP, "laptop", remote_id=remote_id, started_elsewhere=True)


def row(
    remote_id: str = "r1",
    *,
    age: float | None = 3.5,
    status: str = "PENDING_EXEC",
    device_id: str = "laptop",
    registration_id: str = "reg",
    email: str = "maria@example.com",
    kind: str = "pcap",
    completed: float | None = None,
) -> ListedCommand:
    created_at = None if age is None else NOW - minutes(age)
    completed_at = None if completed is None else NOW - minutes(completed)
    return ListedCommand(remote_id, kind, status, device_id, registration_id, email, created_at, completed_at)


def decide(
    rows: list[ListedCommand], commands: list[Ours], clock: Clock = CLOCK, *, complete: bool = True
) -> list[Decision]:
    return match(rows, commands, clock, complete=complete)


# ---- a row whose id we don't know is first a candidate for our own


@pytest.mark.parametrize("complete", [True, False])
def test_uncertain_command_is_adopted_from_any_listing(complete: bool) -> None:
    command, seen = ours(), row()
    decisions = decide([seen], [command], complete=complete)
    assert decisions == [Adopt(seen, command.id, Status.PENDING_EXEC, match_uncertain=False)]


@pytest.mark.parametrize(
    "stranger",
    [
        row(device_id="desktop"),
        row(kind="warp-diag"),
        row(registration_id="another"),
        row(email="joe@example.com"),
    ],
    ids=["device", "kind", "registration", "email"],
)
def test_row_of_another_device_kind_registration_or_email_is_not_ours(stranger: ListedCommand) -> None:
    assert decide([stranger], [ours()]) == [LeaveAlone(stranger, LeaveReason.TOO_YOUNG)]


@pytest.mark.parametrize("absent_here", [True, False])
def test_missing_registration_and_email_exclude_no_row(absent_here: bool) -> None:
    command = ours(registration_id="", email="") if absent_here else ours()
    seen = row() if absent_here else row(registration_id="", email="")
    assert decide([seen], [command]) == [Adopt(seen, command.id, Status.PENDING_EXEC, match_uncertain=False)]


@pytest.mark.parametrize(
    ("age", "is_ours"),
    [(6.01, False), (6, True), (4, True), (3, True), (-2, True), (-2.01, False)],
)
def test_window_is_from_2_minutes_before_the_claim_to_5_minutes_after_the_post(age: float, is_ours: bool) -> None:
    decisions = decide([row(age=age)], [ours(claimed=4, ended=3)])
    assert isinstance(decisions[0], Adopt) is is_ours


def test_lease_counts_while_the_end_of_the_post_is_unknown() -> None:
    command = ours(claimed=10, ended=None)  # its lease ended 8 minutes ago
    assert isinstance(decide([row(age=3)], [command])[0], Adopt)
    assert isinstance(decide([row(age=2.9)], [command])[0], LeaveAlone)


@pytest.mark.parametrize("offset", [-30, 30])
def test_window_is_by_the_clock_of_cloudflare(offset: int) -> None:
    clock = Clock(NOW, minutes(12), offset=minutes(offset))
    assert isinstance(decide([row(age=3.5 - offset)], [ours()], clock)[0], Adopt)
    assert not isinstance(decide([row(age=3.5)], [ours()], clock)[0], Adopt)


@pytest.mark.parametrize(
    ("age", "is_ours"), [(6, False), (5.01, False), (5, True), (3, True), (-1, True), (-1.01, False)]
)
def test_doubt_about_the_clock_narrows_the_window_as_much(age: float, is_ours: bool) -> None:
    decisions = decide([row(age=age)], [ours(claimed=4, ended=3)], replace(CLOCK, doubt=minutes(1)))
    assert isinstance(decisions[0], Adopt) is is_ours


def test_doubt_about_the_clock_makes_a_row_younger() -> None:
    stranger = row(age=13)
    assert decide([stranger], [], replace(CLOCK, doubt=minutes(1))) == [LeaveAlone(stranger, LeaveReason.TOO_YOUNG)]
    assert isinstance(decide([stranger], [], CLOCK)[0], Import)


def test_doubt_about_the_clock_lets_more_rows_cast_doubt_on_a_match() -> None:
    command = replace(ours(claimed=4, ended=3), remote_id="taken", status=Status.SUCCESS, adopted=True)
    late = row(age=-3)
    assert not isinstance(decide([late], [command], CLOCK)[0], CastDoubt)
    assert decide([late], [command], replace(CLOCK, doubt=minutes(1))) == [CastDoubt(late, (command.id,))]


# ---- sending, uncertain, unconfirmed


def test_row_of_a_sending_command_is_left_alone_at_any_age() -> None:
    command, seen = ours(Status.SENDING, claimed=30, ended=None), row(age=29)
    assert decide([seen], [command]) == [LeaveAlone(seen, LeaveReason.STILL_SENDING)]


def test_row_for_a_sending_and_an_unconfirmed_command_waits_for_the_response() -> None:
    old = ours(Status.UNCONFIRMED, claimed=9, ended=8)
    new = ours(Status.SENDING, claimed=2, ended=None)
    seen = row(age=3.5)
    assert decide([seen], [old, new]) == [LeaveAlone(seen, LeaveReason.STILL_SENDING)]


@pytest.mark.parametrize("end", [Status.SUCCESS, Status.FAILED])
def test_unconfirmed_command_found_with_an_end_takes_its_status(end: Status) -> None:
    command, seen = ours(Status.UNCONFIRMED), row(status=end)
    assert decide([seen], [command]) == [Adopt(seen, command.id, end, match_uncertain=False)]


def test_unconfirmed_command_found_running_gets_an_id_and_stays_unconfirmed() -> None:
    command, seen = ours(Status.UNCONFIRMED), row()
    assert decide([seen], [command]) == [Adopt(seen, command.id, None, match_uncertain=False)]


def test_uncertain_command_found_with_an_unknown_status_is_running() -> None:
    command, seen = ours(), row(status="HALTED")
    assert decide([seen], [command]) == [Adopt(seen, command.id, Status.PENDING_EXEC, match_uncertain=False)]


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.UNCERTAIN, Status.UNCONFIRMED)])
def test_only_uncertain_and_unconfirmed_commands_adopt_a_row(status: Status) -> None:
    decisions = decide([row()], [ours(status)])
    assert isinstance(decisions[0], LeaveAlone)


# ---- oldest with oldest, and likely


def test_two_rows_and_two_commands_pair_oldest_with_oldest_and_are_uncertain() -> None:
    old, new = ours(Status.UNCONFIRMED, claimed=9, ended=8), ours(claimed=5, ended=4)
    first, second = row("r9", age=6), row("r1", age=4)
    decisions = decide([second, first], [new, old])
    assert decisions == [
        Adopt(second, new.id, Status.PENDING_EXEC, match_uncertain=True),
        Adopt(first, old.id, None, match_uncertain=True),
    ]


def test_older_of_two_rows_is_adopted_as_uncertain_and_the_other_is_ambiguous() -> None:
    command, first, second = ours(), row("r1", age=4), row("r2", age=3)
    assert decide([second, first], [command]) == [
        Ambiguous(second, (command.id,)),
        Adopt(first, command.id, Status.PENDING_EXEC, match_uncertain=True),
    ]


def test_row_left_over_is_imported_once_its_command_has_an_id() -> None:
    command, left_over = ours(remote_id="r1", status=Status.PENDING_EXEC), row("r2", age=13)
    assert decide([left_over], [command]) == [Import(left_over, Status.PENDING_EXEC)]


def test_one_row_for_two_commands_goes_to_the_oldest_as_uncertain() -> None:
    old, new = ours(Status.UNCONFIRMED, claimed=9, ended=8), ours(claimed=5, ended=4)
    seen = row(age=5)
    assert decide([seen], [new, old]) == [Adopt(seen, old.id, None, match_uncertain=True)]


def test_oldest_first_never_takes_the_only_row_that_fits_another_command() -> None:
    old = ours(Status.UNCONFIRMED, claimed=6, ended=5, registration_id="a")
    new = ours(claimed=4, ended=3, registration_id="b")
    nobodys, theirs = row("r1", age=5, registration_id=""), row("r2", age=4, registration_id="a")
    assert decide([nobodys, theirs], [old, new]) == [
        Adopt(nobodys, new.id, Status.PENDING_EXEC, match_uncertain=True),
        Adopt(theirs, old.id, None, match_uncertain=True),
    ]


def test_certain_pair_stays_certain_beside_an_ambiguous_row_of_another_machine() -> None:
    sure, torn = ours(device_id="desktop"), ours()
    decisions = decide([row("r1"), row("r2"), row("r3", device_id="desktop")], [sure, torn])
    assert [d.match_uncertain for d in decisions if isinstance(d, Adopt)] == [True, False]


# ---- rows without a date


def test_row_without_a_date_is_adopted_as_uncertain() -> None:
    command, seen = ours(), row(age=None)
    assert decide([seen], [command]) == [Adopt(seen, command.id, Status.PENDING_EXEC, match_uncertain=True)]


def test_row_without_a_date_is_not_matched_after_the_window_of_an_unconfirmed_command() -> None:
    old, new, seen = ours(Status.UNCONFIRMED, claimed=700, ended=699), ours(), row(age=None)
    assert decide([seen], [old, new]) == [Adopt(seen, new.id, Status.PENDING_EXEC, match_uncertain=True)]
    assert decide([seen], [old]) == [Ambiguous(seen, (old.id,))]
    taken = imported("r1")
    assert decide([seen], [old, taken]) == [LeaveAlone(seen, LeaveReason.NO_NEWS)]


def test_row_without_a_date_completed_before_the_window_is_not_ours() -> None:
    seen = row(age=None, completed=20, status="SUCCESS")
    assert decide([seen], [ours()]) == [Import(seen, Status.SUCCESS)]


def test_row_with_a_date_comes_before_a_row_without_one() -> None:
    command, undated, dated = ours(), row("r1", age=None), row("r2")
    assert decide([undated, dated], [command]) == [
        Ambiguous(undated, (command.id,)),
        Adopt(dated, command.id, Status.PENDING_EXEC, match_uncertain=True),
    ]


def test_row_without_any_time_is_never_imported() -> None:
    seen = row(age=None)
    assert decide([seen], []) == [LeaveAlone(seen, LeaveReason.NO_TIME)]


# ---- started elsewhere


@pytest.mark.parametrize(("age", "is_old"), [(12, False), (12.01, True)])
def test_only_a_row_older_than_the_settle_window_is_imported(age: float, is_old: bool) -> None:
    assert isinstance(decide([row(age=age)], [])[0], Import) is is_old


def test_age_of_a_row_is_by_the_clock_of_cloudflare() -> None:
    behind = Clock(NOW, minutes(12), offset=minutes(-10))
    assert decide([row(age=13)], [], behind) == [LeaveAlone(row(age=13), LeaveReason.TOO_YOUNG)]


def test_only_a_complete_listing_imports() -> None:
    seen = row(age=60)
    assert decide([seen], [], complete=False) == [LeaveAlone(seen, LeaveReason.NOT_COMPLETE)]


def test_row_that_could_be_ours_is_never_imported_however_old() -> None:
    command, seen = ours(Status.UNCONFIRMED, claimed=600, ended=599), row(age=599.5)
    assert isinstance(decide([seen], [command])[0], Adopt)


def test_imported_row_with_an_unknown_status_counts_as_running() -> None:
    seen = row(age=60, status="HALTED")
    assert decide([seen], []) == [Import(seen, Status.PENDING_EXEC)]


@pytest.mark.parametrize(
    "seen", [row("", age=60), row(age=60, device_id=""), row(age=60, kind=""), row(age=60, kind="reboot")]
)
def test_row_without_id_device_or_known_kind_is_left_alone(seen: ListedCommand) -> None:
    assert decide([seen], []) == [LeaveAlone(seen, LeaveReason.TOO_LITTLE)]


# ---- an import that turns out to be ours


def test_import_that_is_ours_is_taken_over_with_the_furthest_status() -> None:
    command, theirs, seen = ours(), imported("r1", Status.SUCCESS), row("r1")
    decisions = decide([seen], [command, theirs])
    assert decisions == [TakeOver(seen, command.id, theirs.id, Status.SUCCESS)]


def test_no_import_is_taken_over_if_an_unknown_row_fits_or_the_listing_is_incomplete() -> None:
    command, theirs, known, unknown = ours(), imported("r1"), row("r1"), row("r2")
    assert decide([known, unknown], [command, theirs]) == [
        LeaveAlone(known, LeaveReason.NO_NEWS),
        Adopt(unknown, command.id, Status.PENDING_EXEC, match_uncertain=True),
    ]
    assert decide([known], [command, theirs], complete=False) == [LeaveAlone(known, LeaveReason.NO_NEWS)]


def test_command_takes_over_one_import_and_a_sending_command_takes_none() -> None:
    command, first, other = ours(), imported("r1"), imported("r2")
    decisions = decide([row("r2", age=3), row("r1", age=4)], [command, first, other])
    assert [type(decision) for decision in decisions] == [LeaveAlone, TakeOver]
    assert decide([row("r1")], [ours(Status.SENDING), first]) == [LeaveAlone(row("r1"), LeaveReason.NO_NEWS)]


# ---- rows whose id we know


@pytest.mark.parametrize("known", REMOTE)
@pytest.mark.parametrize("reported", REMOTE)
def test_status_of_a_known_command_only_goes_forward(known: Status, reported: Status) -> None:
    command, seen = ours(known, remote_id="r1"), row(status=reported)
    forward = {
        (Status.PENDING_EXEC, Status.PENDING_UPLOAD),
        *((begun, end) for begun in REMOTE[:2] for end in REMOTE[2:]),
    }
    if (known, reported) in forward:
        assert decide([seen], [command]) == [Advance(seen, command.id, reported)]
    else:
        assert decide([seen], [command]) == [
            LeaveAlone(seen, LeaveReason.NO_NEWS if known == reported else LeaveReason.GOES_BACK)
        ]


def test_unconfirmed_command_with_an_id_waits_for_its_end() -> None:
    command = ours(Status.UNCONFIRMED, remote_id="r1")
    assert decide([row()], [command]) == [LeaveAlone(row(), LeaveReason.NO_NEWS)]
    ended = row(status="FAILED")
    assert decide([ended], [command]) == [Advance(ended, command.id, Status.FAILED)]


def test_unknown_status_is_shown_and_moves_nothing() -> None:
    command, seen = ours(Status.PENDING_EXEC, remote_id="r1"), row(status="HALTED")
    assert decide([seen], [command]) == [Note(seen, command.id)]


def test_late_end_without_a_begin_is_not_the_unconfirmed_command() -> None:
    command = ours(Status.UNCONFIRMED, claimed=200, ended=199)
    ended = row(status="SUCCESS", age=None, completed=60)
    assert decide([ended], [command]) == [Import(ended, Status.SUCCESS)]


def test_row_without_a_time_does_not_stop_a_takeover() -> None:
    command, theirs, known, timeless = ours(), imported("r1"), row("r1"), row("r2", age=None)
    assert isinstance(decide([known, timeless], [command, theirs])[0], TakeOver)


def test_command_with_an_id_takes_no_other_row() -> None:
    command, seen = ours(Status.UNCERTAIN, remote_id="r9"), row()
    assert decide([seen], [command]) == [LeaveAlone(seen, LeaveReason.TOO_YOUNG)]


def test_repeated_rows_become_one_with_the_furthest_status_and_all_values() -> None:
    bare = row(status="SUCCESS", registration_id="", age=None, completed=1)
    decisions = decide([row(status="HALTED"), bare, row(email="")], [command := ours()])
    assert decisions == [Adopt(row(status="SUCCESS", completed=1), command.id, Status.SUCCESS, match_uncertain=False)]


def test_command_without_an_id_needs_the_times_of_its_dispatch() -> None:
    with pytest.raises(ValueError, match="dispatch"):
        Ours(UUID(int=1), Status.UNCERTAIN, Kind.PCAP, "laptop")


# ---- doubt in hindsight


def test_row_that_turns_up_later_casts_doubt_on_a_certain_match_and_is_imported_later() -> None:
    holder, late = replace(ours(Status.SUCCESS, remote_id="r1"), adopted=True), row("r2", age=3.5)
    assert decide([late], [holder]) == [CastDoubt(late, (holder.id,))]
    later = replace(CLOCK, now=NOW + minutes(10))
    assert decide([late], [replace(holder, adopted=False)], later) == [Import(late, Status.PENDING_EXEC)]


def test_row_that_fits_no_certain_match_casts_no_doubt() -> None:
    holder, stranger = replace(ours(Status.SUCCESS, remote_id="r1"), adopted=True), row("r2", age=13)
    assert decide([stranger], [holder]) == [Import(stranger, Status.PENDING_EXEC)]


def test_row_that_fits_a_certain_match_too_is_adopted_and_both_are_uncertain() -> None:
    holder, command, seen = replace(ours(Status.SUCCESS, remote_id="r1"), adopted=True), ours(), row("r2")
    adoption = Adopt(seen, command.id, Status.PENDING_EXEC, match_uncertain=True, doubts=(holder.id,))
    assert decide([seen], [holder, command]) == [adoption]
