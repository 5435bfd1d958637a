"""Sentences of the status page that are made from a code."""

from collections.abc import Mapping
from enum import StrEnum

from commands.rules.wording import sentence, sentence_for_count


class AccountChip(StrEnum):
    """State of an account in one word."""

    NO_CREDENTIAL = "no_credential"
    REFUSED = "refused"
    PROBLEM = "problem"
    RATE_LIMITED = "rate_limited"
    NOT_SYNCED = "not_synced"
    OVERDUE = "overdue"
    OK = "ok"


class ProcessNote(StrEnum):
    """Note on a process, mostly on why its heartbeat is missing."""

    RUNNING = "running"
    NOT_RESPONDING = "not_responding"
    BROKER_DOWN = "broker_down"
    SCHEDULER_DOWN = "scheduler_down"
    MAY_BE_WAITING = "may_be_waiting"


class Advice(StrEnum):
    """Advice for a command whose outcome is unknown."""

    CHECKING = "checking"
    LIST_REFUSED = "list_refused"
    LIST_FAILING = "list_failing"
    CHECKED_DAILY = "checked_daily"


CHIPS: Mapping[AccountChip, tuple[str, str]] = {
    AccountChip.NO_CREDENTIAL: ("No usable credential", "failed"),
    AccountChip.REFUSED: ("Refused", "failed"),
    AccountChip.PROBLEM: ("Problem", "failed"),
    AccountChip.RATE_LIMITED: ("Rate-limited", "waiting"),
    AccountChip.NOT_SYNCED: ("Not synced yet", "waiting"),
    AccountChip.OVERDUE: ("Overdue", "waiting"),
    AccountChip.OK: ("OK", "done"),
}
"""Label and tone."""

SENTENCES: Mapping[AccountChip, str] = {
    AccountChip.NO_CREDENTIAL: "Needs an administrator.",
    AccountChip.REFUSED: "Needs an administrator.",
    AccountChip.PROBLEM: "Retried automatically.",
    AccountChip.RATE_LIMITED: "Cloudflare is rate-limiting us.",
    AccountChip.NOT_SYNCED: "",
    AccountChip.OVERDUE: "The next sync is overdue.",
    AccountChip.OK: "",
}
PROCESSES: Mapping[ProcessNote, str] = {
    ProcessNote.RUNNING: "",
    ProcessNote.NOT_RESPONDING: "Not responding. Start it.",
    ProcessNote.BROKER_DOWN: "The scheduler can't reach it. Start Redis, or make VAR_DIR writable.",
    ProcessNote.SCHEDULER_DOWN: "Unknown while the scheduler is down.",
    ProcessNote.MAY_BE_WAITING: "May be waiting for the message queue.",
}
ADVICE: Mapping[Advice, str] = {
    Advice.CHECKING: "Nothing to do: we're still checking Cloudflare's list.",
    Advice.LIST_REFUSED: "Sync is paused, so we can't check. Fix that first.",
    Advice.LIST_FAILING: "Sync is paused, so we can't check until Cloudflare responds again.",
    Advice.CHECKED_DAILY: "We check Cloudflare's list for {days} at most.",
}
DAYS: Mapping[Advice, tuple[str, str]] = {Advice.CHECKED_DAILY: ("1 more day", "{count} more days")}
UNCONFIRMED = "If it matters, look in Cloudflare's dashboard. {check} If you still need the result, run it again."


def advise(advice: Advice, *, is_unconfirmed: bool, days: int = 0) -> str:
    """Return what to do about a command whose outcome is unknown."""
    check = sentence(ADVICE, advice, days=sentence_for_count(DAYS, Advice.CHECKED_DAILY, days))
    return UNCONFIRMED.format(check=check) if is_unconfirmed else check
