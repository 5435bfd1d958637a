"""Status page: accounts, pauses, processes, and commands whose outcome is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from commands.models import AccountSync, CallBudget, Command, Heartbeat, Pause
from commands.queries.heartbeats import ProcessHeartbeat, Role
from commands.queries.status import MOST_DOUBTFUL, AccountPause, AccountState, MissingResults, PortalState
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.pauses import Operation, PauseReason
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Status
from commands.web.shared.rows import Chip
from commands.web.status import page
from commands.web.status.page import AccountCard, DoubtfulCommand, PauseItem, Process, StatusPage
from tests.web.unsaved import ACCOUNT_ID, NOW, unsaved_account, unsaved_command

SOON, RECENTLY = NOW + timedelta(minutes=2), NOW - timedelta(seconds=1)
SYNCED = {"listed_at": NOW, "due_at": NOW}


def unsaved_pause(operation: str = Operation.CREATE, /, **values: Any) -> Pause:
    defaults = {"account": unsaved_account(), "operation": operation, "since": RECENTLY, "until": SOON}
    return Pause(**{**defaults, "reason_code": PauseReason.SERVER_ERROR, **values})


def refusal(operation: str = Operation.CREATE, /, **values: Any) -> Pause:
    return unsaved_pause(operation, refused=True, **{"reason_code": PauseReason.ACCOUNT_REFUSED, **values})


def account_state(
    *pauses: AccountPause, sync: Mapping[str, Any] = SYNCED, budget: Mapping[str, Any] | None = None
) -> AccountState:
    """Return an account with nothing to do, which was listed just now."""
    account = unsaved_account()
    assert account.credential is not None
    CallBudget(credential=account.credential, **budget or {})
    return AccountState(
        account=account,
        sync=AccountSync(account=account, **sync),
        credential=account.credential,
        pauses=pauses,
        queued=0,
        held=0,
        barred=0,
        claimed=0,
        doubtful=0,
        missing=None,
        can_notify=True,
    )


def paused(pause: Pause, *, notified_at: datetime | None = None, **values: Any) -> AccountPause:
    return AccountPause(pause, notified_at, **{"is_email_failing": False, "expiring": 0, **values})


def shown_status(*accounts: AccountState, is_seen: bool = True, **values: Any) -> StatusPage:
    seen = [account.account.id for account in accounts] if is_seen else []
    state = PortalState(accounts, **{"heartbeats": [], "doubtful": [], "seen": seen, **values})
    return page.build(state, now=NOW)


def card(account: AccountState, *, is_seen: bool = True) -> AccountCard:
    [shown] = shown_status(account, is_seen=is_seen).accounts
    return shown


def pause_item(pause: AccountPause, **values: Any) -> PauseItem:
    [line] = card(replace(account_state(pause), **values)).pauses
    return line


# --- Chip of an account


@pytest.mark.parametrize(
    ("state", "chip"),
    [
        (account_state(), Chip("OK", "done")),
        (account_state(sync={}), Chip("Not synced yet", "waiting")),
        (
            account_state(sync={"listed_at": NOW, "due_at": NOW - timedelta(seconds=31)}),
            Chip("Overdue", "waiting", "The next sync is overdue."),
        ),
        (
            account_state(budget={"paused_until": SOON}),
            Chip("Rate-limited", "waiting", "Cloudflare is rate-limiting us."),
        ),
        (account_state(paused(unsaved_pause())), Chip("Problem", "failed", "Retried automatically.")),
        (account_state(paused(refusal())), Chip("Refused", "failed", "Needs an administrator.")),
        (
            account_state(paused(refusal(reason_code=PauseReason.NO_VALUE))),
            Chip("No usable credential", "failed", "Needs an administrator."),
        ),
    ],
)
def test_chip_has_the_state_of_the_account(state: AccountState, chip: Chip) -> None:
    assert card(state).chip == chip


def test_chip_has_the_worst_of_several_problems() -> None:
    pauses = [paused(unsaved_pause(Operation.LIST)), paused(refusal())]
    assert card(account_state(*pauses, sync={}, budget={"paused_until": SOON})).chip.label == "Refused"


def test_sync_is_late_only_after_a_while() -> None:
    assert card(account_state(sync={"listed_at": NOW, "due_at": NOW - timedelta(seconds=30)})).chip.label == "OK"


# --- Figures of an account


@pytest.mark.parametrize(
    ("sync", "quota"),
    [
        ({}, "unknown"),
        ({"quota_used": 37}, "unknown"),
        ({"quota_total": 200, "quota_used": 37}, "39 of 200 today"),
        ({"quota_total": 200, "quota_used": 37, "quota_reset_at": NOW}, "unknown"),
    ],
)
def test_quota_counts_what_was_sent_since_it_was_read(sync: dict[str, Any], quota: str) -> None:
    assert card(replace(account_state(sync=SYNCED | sync), claimed=2)).quota == quota


def test_card_tells_how_many_calls_are_left() -> None:
    assert card(account_state(budget={"calls_left": 12.9, "counted_at": NOW})).calls_left == "about 12"
    assert card(account_state(budget={"paused_until": SOON})).calls_left == "none right now"


def test_card_counts_commands() -> None:
    shown = card(replace(account_state(), queued=5, held=2, barred=1, doubtful=3))
    assert (shown.queued, shown.held, shown.barred, shown.doubtful) == (5, 2, 1, 3)
    assert (shown.name, shown.credential) == ("Acme", "Credential of Acme")


def test_card_links_to_commands_only_where_the_viewer_sees_them() -> None:
    desk_url = f"/?account={ACCOUNT_ID}"
    seen, unseen = card(account_state()), card(account_state(), is_seen=False)
    assert seen.desk_url == unseen.desk_url == desk_url
    assert seen.queued_url == f"/history/?account={ACCOUNT_ID}&status=queued"
    assert seen.doubtful_url == "#doubtful"
    assert (unseen.queued_url, unseen.doubtful_url) == ("", "")


# --- Results that are not downloaded


@pytest.mark.parametrize(("deleted_at", "is_deleted"), [(SOON, False), (NOW, True), (RECENTLY, True)])
def test_missing_results_are_deleted_or_will_be(deleted_at: datetime, is_deleted: bool) -> None:
    missing = MissingResults(3, deleted_at, ArtifactReason.SERVER_ERROR, "502 Bad Gateway")
    shown = card(replace(account_state(), missing=missing)).missing
    assert shown is not None
    assert (shown.count, shown.deleted_at, shown.is_deleted) == (3, deleted_at, is_deleted)
    assert shown.reason == "Cloudflare failed. “502 Bad Gateway”"


def test_account_that_misses_nothing_says_nothing() -> None:
    assert card(account_state()).missing is None


# --- Pauses


@pytest.mark.parametrize(
    ("operation", "label"),
    [
        (Operation.CREATE, "Sending commands"),
        (Operation.LIST, "Listing commands"),
        (Operation.DIRECTORY, "Listing devices and the quota"),
        (Operation.DOWNLOAD, "Downloading files"),
    ],
)
def test_pause_names_its_operation(operation: Operation, label: str) -> None:
    assert pause_item(paused(unsaved_pause(operation))).operation == label


def test_pause_tells_why_and_until_when() -> None:
    line = pause_item(paused(unsaved_pause(remote_message="Try later", http_status=503)))
    assert line.reason == "Cloudflare failed. Cloudflare's message: “Try later”. (HTTP 503)"
    assert (line.since, line.retry_at, line.is_retrying) == (RECENTLY, SOON, False)


def test_pause_that_ended_just_now_is_being_retried() -> None:
    line = pause_item(paused(unsaved_pause(until=RECENTLY)))
    assert (line.retry_at, line.is_retrying) == (None, True)


def test_pause_that_ended_long_ago_had_nothing_to_do_since() -> None:
    line = pause_item(paused(refusal(until=NOW - timedelta(minutes=5))))
    assert (line.retry_at, line.is_retrying) == (None, False)


def test_refusal_without_anybody_to_notify_says_so() -> None:
    assert pause_item(paused(refusal()), can_notify=False).lacks_people
    assert not pause_item(paused(refusal())).lacks_people
    assert not pause_item(paused(refusal(), notified_at=RECENTLY), can_notify=False).lacks_people
    assert not pause_item(paused(unsaved_pause()), can_notify=False).lacks_people


def test_refusal_tells_when_administrators_were_notified_and_whether_email_fails() -> None:
    line = pause_item(paused(refusal(), notified_at=RECENTLY, is_email_failing=True))
    assert (line.notified_at, line.lacks_mail) == (RECENTLY, True)


@pytest.mark.parametrize("operation", Operation)
def test_refusals_to_send_and_to_download_are_retested(operation: Operation) -> None:
    is_retested = operation in (Operation.CREATE, Operation.DOWNLOAD)
    assert pause_item(paused(refusal(operation))).is_probed == is_retested
    assert not pause_item(paused(unsaved_pause(operation))).is_probed


def test_pause_of_downloads_counts_expiring_results() -> None:
    assert pause_item(paused(unsaved_pause(Operation.DOWNLOAD), expiring=3)).expiring == 3


def test_rate_limit_is_a_pause_of_all_calls() -> None:
    budget = {"paused_until": SOON, "paused_since": RECENTLY, "pause_reason_code": PauseReason.RATE_LIMITED}
    first, second = card(account_state(paused(unsaved_pause()), budget=budget)).pauses
    assert first.operation == "Sending commands"
    assert second == PauseItem(
        "All calls with this credential", "Cloudflare is rate-limiting us.", since=RECENTLY, retry_at=SOON
    )


def test_rate_limit_that_is_over_is_no_pause() -> None:
    assert card(account_state(budget={"paused_until": RECENTLY})).pauses == []


# --- Processes


def beat(role: Heartbeat.Role, instance: str = "host:1", *, age: int = 1) -> ProcessHeartbeat:
    return ProcessHeartbeat(role, instance, NOW - timedelta(seconds=age), timedelta(seconds=age))


def processes(*beats: ProcessHeartbeat) -> Sequence[Process]:
    return shown_status(heartbeats=beats).processes


def test_running_processes_need_nothing() -> None:
    assert processes(*map(beat, Role)) == [
        Process(Chip("Scheduler", "done"), "host:1", NOW - timedelta(seconds=1)),
        Process(Chip("Message queue", "done"), "host:1", NOW - timedelta(seconds=1)),
        Process(Chip("Worker: talk", "done"), "host:1", NOW - timedelta(seconds=1)),
        Process(Chip("Worker: fetch", "done"), "host:1", NOW - timedelta(seconds=1)),
    ]


def test_every_running_process_of_a_role_has_its_line() -> None:
    others = [beat(role) for role in (Role.BEAT, Role.BROKER, Role.FETCH)]
    shown = processes(*others, beat(Role.TALK, "host:1"), beat(Role.TALK, "host:2"), beat(Role.TALK, "host:3", age=60))
    assert [one.instance for one in shown if one.chip.label == "Worker: talk"] == ["host:1", "host:2"]


def test_role_without_a_running_process_shows_the_last_one() -> None:
    others = [beat(role) for role in (Role.BEAT, Role.BROKER, Role.FETCH)]
    shown = processes(*others, beat(Role.TALK, "host:1", age=60), beat(Role.TALK, "host:2", age=50))
    [talk] = [one for one in shown if one.chip.label == "Worker: talk"]
    assert talk.chip == Chip("Worker: talk", "failed", "Not responding. Start it.")
    assert (talk.instance, talk.seen_at) == ("host:2", NOW - timedelta(seconds=50))


def test_process_that_was_never_started_is_listed_too() -> None:
    shown = processes()
    assert [(one.chip.label, one.instance, one.seen_at) for one in shown] == [
        ("Scheduler", "never seen", None),
        ("Message queue", "never seen", None),
        ("Worker: talk", "never seen", None),
        ("Worker: fetch", "never seen", None),
    ]
    assert shown[1].chip.sentence == "Unknown while the scheduler is down."


def test_broken_message_queue_explains_silent_workers() -> None:
    silent = [beat(role, age=60) for role in (Role.BROKER, Role.TALK, Role.FETCH)]
    scheduler, queue, talk, _ = processes(*silent, beat(Role.BEAT))
    assert scheduler.chip.tone == "done"
    assert queue.chip == Chip(
        "Message queue", "failed", "The scheduler can't reach it. Start Redis, or make VAR_DIR writable."
    )
    assert talk.chip == Chip("Worker: talk", "waiting", "May be waiting for the message queue.")


# --- Commands whose outcome is unknown


def doubtful(command: Command, *pauses: AccountPause) -> DoubtfulCommand:
    [shown] = shown_status(account_state(*pauses), doubtful=[command]).doubtful
    return shown


def test_doubtful_command_is_described() -> None:
    command = unsaved_command(Status.UNCERTAIN, reason_code=CommandReasonCode.NO_ANSWER)
    shown = doubtful(command)
    assert (shown.title, shown.account) == ("Packet capture on LAP-0042", "Acme")
    assert (shown.url, shown.since) == (f"/commands/{command.id}/", command.status_at)
    assert shown.reason == "No complete response from Cloudflare."
    assert shown.runs_until is None


CHECK_DASHBOARD = "If it matters, look in Cloudflare's dashboard. "
RUN_AGAIN = " If you still need the result, run it again."


@pytest.mark.parametrize(
    ("pauses", "advice"),
    [
        ([], "Nothing to do: we're still checking Cloudflare's list."),
        ([paused(refusal(Operation.CREATE))], "Nothing to do: we're still checking Cloudflare's list."),
        ([paused(refusal(Operation.LIST))], "Sync is paused, so we can't check. Fix that first."),
        (
            [paused(unsaved_pause(Operation.LIST))],
            "Sync is paused, so we can't check until Cloudflare responds again.",
        ),
    ],
)
def test_advice_for_an_uncertain_command_depends_on_the_sync(pauses: list[AccountPause], advice: str) -> None:
    assert doubtful(unsaved_command(Status.UNCERTAIN), *pauses).advice == advice


@pytest.mark.parametrize(
    ("days_ago", "left"), [(0, "7 more days"), (2, "5 more days"), (6.1, "1 more day"), (8, "1 more day")]
)
def test_advice_for_an_unconfirmed_command_counts_the_days_that_are_left(days_ago: float, left: str) -> None:
    command = unsaved_command(Status.UNCONFIRMED, status_at=NOW - timedelta(days=days_ago))
    check = f"We check Cloudflare's list for {left} at most."
    assert doubtful(command).advice == f"{CHECK_DASHBOARD}{check}{RUN_AGAIN}"


def test_advice_for_an_unconfirmed_command_mentions_a_paused_sync() -> None:
    shown = doubtful(unsaved_command(Status.UNCONFIRMED), paused(refusal(Operation.LIST)))
    assert shown.advice == f"{CHECK_DASHBOARD}Sync is paused, so we can't check. Fix that first.{RUN_AGAIN}"


def test_unconfirmed_command_tells_until_when_it_may_run() -> None:
    # 10 min offline + 2 min capture + 15 min upload
    running = unsaved_command(Status.UNCONFIRMED, requested_at=NOW - timedelta(minutes=20))
    over = unsaved_command(Status.UNCONFIRMED, requested_at=NOW - timedelta(minutes=27))
    assert doubtful(running).runs_until == NOW + timedelta(minutes=7)
    assert doubtful(over).runs_until is None


@pytest.mark.parametrize(("count", "is_cut"), [(0, False), (MOST_DOUBTFUL - 1, False), (MOST_DOUBTFUL, True)])
def test_page_says_when_it_lists_not_all(count: int, is_cut: bool) -> None:
    shown = shown_status(doubtful=[unsaved_command(Status.UNCERTAIN)] * count)
    assert (len(shown.doubtful), shown.is_cut, shown.most) == (count, is_cut, 50)
