"""Status page for administrators: what is running, what is paused, what is uncertain, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from commands.clock import is_ahead
from commands.models import CallBudget, Command
from commands.queries.heartbeats import Liveness, ProcessHeartbeat, Role, liveness_of
from commands.queries.pauses import is_retrying
from commands.queries.status import MOST_DOUBTFUL, AccountPause, AccountState, PortalState
from commands.rules.pauses import PROBED, Operation
from commands.rules.states import Status
from commands.rules.wording import sentence
from commands.rules.wording import status as wording
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.rules.wording.pauses import OPERATIONS
from commands.rules.wording.status import AccountChip, Advice, ProcessNote
from commands.web.shared import rows


@dataclass(frozen=True, slots=True)
class PauseItem:
    """One pause of an account.

    Attributes:
        retry_at: when the operation is retried, None if that time has passed.
        is_retrying: an attempt is under way. Otherwise there was nothing to do since.
        is_credential_problem: Cloudflare was not contacted.
        notified_at: when administrators were notified of a refusal.
        lacks_people: a refusal that nobody could be notified of.
        lacks_mail: the mail server accepts no email about it.
        is_probed: a refusal that is retested also when there is nothing to do.
        expiring: results that Cloudflare deletes soon.
    """

    operation: str
    reason: str
    since: datetime
    retry_at: datetime | None
    refused: bool = False
    notified_at: datetime | None = None
    is_retrying: bool = False
    is_credential_problem: bool = False
    lacks_people: bool = False
    lacks_mail: bool = False
    is_probed: bool = False
    expiring: int = 0


@dataclass(frozen=True, slots=True)
class Missing:
    """Results that are not downloaded, where a download has failed or Cloudflare deletes one soon.

    Attributes:
        deleted_at: when Cloudflare deletes, or deleted, the first one.
        reason: why the last download failed.
    """

    count: int
    deleted_at: datetime
    is_deleted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class AccountCard:
    """One account. The last two addresses are '' for a person who may not see its commands."""

    name: str
    chip: rows.Chip
    credential: str
    synced_at: datetime | None
    complete_at: datetime | None
    quota: str
    calls_left: str
    queued: int
    held: int
    barred: int  # from before a restore: looked for, not sent
    doubtful: int
    missing: Missing | None
    pauses: Sequence[PauseItem]
    desk_url: str
    queued_url: str
    doubtful_url: str


@dataclass(frozen=True, slots=True)
class Process:
    chip: rows.Chip
    instance: str
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class DoubtfulCommand:
    """Command whose outcome is unknown, with advice."""

    chip: rows.Chip
    url: str
    title: str
    account: str
    since: datetime
    reason: str
    advice: str
    runs_until: datetime | None


@dataclass(frozen=True, slots=True)
class StatusPage:
    accounts: Sequence[AccountCard]
    processes: Sequence[Process]
    doubtful: Sequence[DoubtfulCommand]
    is_cut: bool
    most: int


def build(state: PortalState, *, now: datetime) -> StatusPage:
    pauses = {one.account.id: one.pauses for one in state.accounts}
    return StatusPage(
        accounts=[_card(account, is_seen=account.account.id in state.seen, now=now) for account in state.accounts],
        processes=_processes(state.heartbeats),
        doubtful=[_doubtful(command, pauses.get(command.account_id, ()), now) for command in state.doubtful],
        is_cut=len(state.doubtful) == MOST_DOUBTFUL,
        most=MOST_DOUBTFUL,
    )


def _card(state: AccountState, *, is_seen: bool, now: datetime) -> AccountCard:
    account, sync, budget = state.account, state.sync, state.credential.budget
    used, total = sync.quota.used_today(state.claimed, now), sync.quota_total
    calls_left = budget.calls_available(now)
    return AccountCard(
        name=account.name,
        chip=_chip(state, now),
        credential=state.credential.name,
        synced_at=sync.listed_at,
        complete_at=sync.complete_at,
        quota="unknown" if used is None or total is None else f"{used} of {total} today",
        calls_left=f"about {calls_left}" if calls_left else "none right now",
        queued=state.queued,
        held=state.held,
        barred=state.barred,
        doubtful=state.doubtful,
        missing=_missing(state, now),
        pauses=[_pause(pause, state, now) for pause in state.pauses] + _rate_limit(budget, now),
        desk_url=f"{reverse('desk')}?account={account.id}",
        queued_url=f"{reverse('history')}?account={account.id}&status={Status.QUEUED}" if is_seen else "",
        doubtful_url="#doubtful" if is_seen else "",
    )


def _missing(state: AccountState, now: datetime) -> Missing | None:
    missing = state.missing
    if missing is None:
        return None
    reason = describe_artifact_reason(missing.reason_code, missing.remote_message)
    return Missing(missing.count, missing.deleted_at, missing.deleted_at <= now, reason)


def _chip(state: AccountState, now: datetime) -> rows.Chip:
    code = _account_chip(state, now)
    label, tone = wording.CHIPS[code]
    return rows.Chip(label, tone, sentence(wording.SENTENCES, code))


def _account_chip(state: AccountState, now: datetime) -> AccountChip:
    """Return the worst thing that is known of an account."""
    sync, pauses = state.sync, [one.pause for one in state.pauses]
    is_late = sync.awaited_at is not None and now - sync.awaited_at > settings.SYNC_LATE
    checks = {
        AccountChip.NO_CREDENTIAL: any(pause.refused and pause.is_credential_problem for pause in pauses),
        AccountChip.REFUSED: any(pause.refused for pause in pauses),
        AccountChip.PROBLEM: bool(pauses),
        AccountChip.RATE_LIMITED: is_ahead(state.credential.budget.paused_until, now),
        AccountChip.NOT_SYNCED: sync.listed_at is None,
        AccountChip.OVERDUE: is_late,
    }
    return next((chip for chip, applies in checks.items() if applies), AccountChip.OK)


def _pause(shown: AccountPause, state: AccountState, now: datetime) -> PauseItem:
    pause = shown.pause
    operation = sentence(OPERATIONS, Operation(pause.operation))
    return PauseItem(
        operation=operation[0].upper() + operation[1:],
        reason=pause.reason,
        since=pause.since,
        retry_at=pause.until if is_ahead(pause.until, now) else None,
        refused=pause.refused,
        notified_at=shown.notified_at,
        is_retrying=is_retrying(pause.until, now),
        is_credential_problem=pause.is_credential_problem,
        lacks_people=pause.refused and shown.notified_at is None and not state.can_notify,
        lacks_mail=shown.is_email_failing,
        is_probed=pause.refused and pause.operation in PROBED,
        expiring=shown.expiring,
    )


def _rate_limit(budget: CallBudget, now: datetime) -> list[PauseItem]:
    until = budget.paused_until
    if until is None or not is_ahead(until, now):
        return []
    return [PauseItem("All calls with this credential", budget.pause_reason, budget.paused_since or now, until)]


_ROLES = {Role.BEAT: "Scheduler", Role.BROKER: "Message queue", Role.TALK: "Worker: talk", Role.FETCH: "Worker: fetch"}


def _processes(beats: Sequence[ProcessHeartbeat]) -> list[Process]:
    """Build a line for each running process, and one for the last process of a role that has none."""
    liveness = liveness_of(beats)
    found: list[Process] = []
    for role, label in _ROLES.items():
        own = [beat for beat in beats if beat.role == role]
        alive = [beat for beat in own if beat.is_alive]
        chip = _process_chip(role, label, liveness, is_alive=bool(alive))
        last = sorted(own, key=lambda beat: beat.seen_at)[-1:]
        found += [Process(chip, beat.instance, beat.seen_at) for beat in alive or last]
        if not own:
            found.append(Process(chip, "never seen", None))
    return found


def _process_chip(role: Role, label: str, liveness: Liveness, *, is_alive: bool) -> rows.Chip:
    if role in liveness.down:
        note = ProcessNote.BROKER_DOWN if role == Role.BROKER else ProcessNote.NOT_RESPONDING
        return rows.Chip(label, "failed", sentence(wording.PROCESSES, note))
    if not is_alive:
        note = ProcessNote.SCHEDULER_DOWN if role == Role.BROKER else ProcessNote.MAY_BE_WAITING
        return rows.Chip(label, "waiting", sentence(wording.PROCESSES, note))
    return rows.Chip(label, "done", sentence(wording.PROCESSES, ProcessNote.RUNNING))


def _doubtful(command: Command, pauses: Sequence[AccountPause], now: datetime) -> DoubtfulCommand:
    until = command.may_run_until
    return DoubtfulCommand(
        chip=rows.chip_of(command),
        url=reverse("command", args=[command.id]),
        title=f"{rows.kind_label(command.kind)} on {command.device_name or command.device_id}",
        account=command.account.name,
        since=command.status_at,
        reason=rows.reason_of(command),
        advice=_advice(command, pauses, now),
        runs_until=until if until and until > now else None,
    )


def _advice(command: Command, pauses: Sequence[AccountPause], now: datetime) -> str:
    is_unconfirmed = command.status == Status.UNCONFIRMED
    listing = next((one.pause for one in pauses if one.pause.operation == Operation.LIST), None)
    left = command.status_at + settings.UNCONFIRMED_DAILY_FOR - now
    if listing is not None:
        advice = Advice.LIST_REFUSED if listing.refused else Advice.LIST_FAILING
    else:
        advice = Advice.CHECKED_DAILY if is_unconfirmed else Advice.CHECKING
    return wording.advise(advice, is_unconfirmed=is_unconfirmed, days=max(1, round(left / timedelta(days=1))))
