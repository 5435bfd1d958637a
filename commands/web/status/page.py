"""The status page of the people who administer: what runs, what rests, what is in doubt, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.urls import reverse

from commands import clock
from commands.actions.administration.heartbeats import Role, Signs
from commands.actions.sending import rerun
from commands.actions.upstream import probe, quota, rate_limit
from commands.actions.upstream.clients import OUR_OWN
from commands.models import Account, Command, Heartbeat, Pause
from commands.queries.pauses import is_tried
from commands.queries.status import DOUBTFUL, State
from commands.rules.states import Status
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.web.shared import rows


@dataclass(frozen=True, slots=True)
class PauseLine:
    """`again_at`: when it is tried again; None where that time has passed. `is_tried`: just now; else nothing was to be
    done since.

    `is_our_own`: Cloudflare was not even asked. `lacks_people`: a refusal of which nobody could be told; `lacks_mail`:
    their mail server does not take it. `is_probed`: it is asked for also where nothing is to be done.
    `nearly_lost`: results that Cloudflare deletes soon.
    """

    act: str
    words: str
    since: datetime
    again_at: datetime | None
    refused: bool
    told_at: datetime | None
    is_tried: bool = False
    is_our_own: bool = False
    lacks_people: bool = False
    lacks_mail: bool = False
    is_probed: bool = False
    nearly_lost: int = 0


@dataclass(frozen=True, slots=True)
class Missing:
    """Results that are not here yet, where one has failed or is nearly lost. `deleted_at`: when the first is, or was,
    deleted by Cloudflare. `words`: why the last that failed did."""

    count: int
    deleted_at: datetime
    is_deleted: bool
    words: str


@dataclass(frozen=True, slots=True)
class AccountCard:
    name: str
    chip: rows.Chip
    credential: str
    synced_at: datetime | None
    complete_at: datetime | None
    quota: str
    calls_left: str
    queued: int
    held: int
    barred: int  # looked for after a restore
    doubtful: int
    missing: Missing | None
    pauses: Sequence[PauseLine]
    desk_url: str
    queued_url: str  # these two are '' for somebody who may not see commands there
    doubtful_url: str


@dataclass(frozen=True, slots=True)
class Process:
    chip: rows.Chip
    instance: str
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Doubt:
    chip: rows.Chip
    url: str
    title: str
    account: str
    since: datetime
    words: str
    what_to_do: str
    runs_until: datetime | None


@dataclass(frozen=True, slots=True)
class OperationsPage:
    accounts: Sequence[AccountCard]
    processes: Sequence[Process]
    doubts: Sequence[Doubt]
    is_cut: bool
    most: int


def build(state: State, *, now: datetime) -> OperationsPage:
    return OperationsPage(
        accounts=[_card(account, state, now) for account in state.accounts],
        processes=_processes(state.heartbeats),
        doubts=[_doubt(command, state.pauses.get(command.account_id, ()), now) for command in state.doubtful],
        is_cut=len(state.doubtful) == DOUBTFUL,
        most=DOUBTFUL,
    )


def _card(account: Account, state: State, now: datetime) -> AccountCard:
    sync, credential = account.sync, account.credential
    pauses, is_seen = state.pauses.get(account.id, ()), account.id in state.seen
    assert credential is not None  # it is in force
    used, total = quota.used(sync, getattr(account, "count_claimed", 0), now), sync.quota_total
    calls_left = rate_limit.calls_left(credential.budget, now)
    return AccountCard(
        name=account.name,
        chip=_chip(account, pauses, now),
        credential=credential.name,
        synced_at=sync.listed_at,
        complete_at=sync.complete_at,
        quota="not known" if used is None or total is None else f"{used} of {total} today",
        calls_left=f"about {calls_left}" if calls_left else "none for the moment",
        queued=getattr(account, "count_queued", 0),
        held=getattr(account, "count_held", 0),
        barred=getattr(account, "count_barred", 0),
        doubtful=getattr(account, "count_doubtful", 0),
        missing=_missing(account, now),
        pauses=[_pause(pause, account, now) for pause in pauses] + _throttled(account, now),
        desk_url=f"{reverse('desk')}?account={account.id}",
        queued_url=f"{reverse('history')}?account={account.id}&status={Status.QUEUED}" if is_seen else "",
        doubtful_url="#doubts" if is_seen else "",
    )


def _missing(account: Account, now: datetime) -> Missing | None:
    """From the annotations of its row."""
    row = vars(account)
    at: datetime | None = row["missing_until"]
    if at is None or not row["count_missing"]:
        return None
    return Missing(
        row["count_missing"],
        at,
        at <= now,
        describe_artifact_reason(row["missing_reason"] or "", row["missing_message"] or ""),
    )


def _chip(account: Account, pauses: Sequence[Pause], now: datetime) -> rows.Chip:
    sync, credential = account.sync, account.credential
    if any(pause.refused for pause in pauses):
        label = "No usable credential" if any(pause.words in OUR_OWN for pause in pauses) else "Refused"
        return rows.Chip(label, "failed", "An admin has to mend something.")
    if pauses:
        return rows.Chip("In trouble", "failed", "What rests is tried again by itself.")
    if credential and clock.is_ahead(credential.budget.paused_until, now):
        return rows.Chip("Throttled", "waiting", "Cloudflare asks for a rest.")
    if sync.listed_at is None:
        return rows.Chip("Not synced yet", "waiting")
    if sync.awaited_at and now - sync.awaited_at > settings.SYNC_LATE:
        return rows.Chip("Late", "waiting", "A listing is overdue.")
    return rows.Chip("Well", "done")


def _pause(pause: Pause, account: Account, now: datetime) -> PauseLine:
    act = pause.get_act_display()
    return PauseLine(
        act=act[0].upper() + act[1:],
        words=pause.words,
        since=pause.since,
        again_at=pause.until if clock.is_ahead(pause.until, now) else None,
        refused=pause.refused,
        told_at=pause.told_at,
        is_tried=is_tried(pause.until, now),
        is_our_own=pause.words in OUR_OWN,
        lacks_people=pause.refused and pause.told_at is None and not getattr(account, "has_administrator", True),
        lacks_mail=pause.is_mail_failing,
        is_probed=pause.refused and pause.act in probe.PROBES,
        nearly_lost=getattr(pause, "nearly_lost", 0),
    )


def _throttled(account: Account, now: datetime) -> list[PauseLine]:
    credential = account.credential
    until = credential.budget.paused_until if credential else None
    if credential is None or until is None or not clock.is_ahead(until, now):
        return []
    since = credential.budget.paused_since or now
    return [PauseLine("Every call of this credential", credential.budget.pause_words, since, until, False, None)]


_ROLES = {Role.BEAT: "Beat", Role.BROKER: "Broker", Role.TALK: "Worker: talk", Role.FETCH: "Worker: fetch"}
_MEND = {Role.BROKER: "Beat cannot give it anything: start Redis, or make VAR_DIR writable."}


def _processes(heartbeats: Sequence[Heartbeat]) -> list[Process]:
    """Those that live, or of a role of which nobody does, the last ones."""
    signs = _signs(heartbeats)
    found: list[Process] = []
    for role, label in _ROLES.items():
        beats = [beat for beat in heartbeats if beat.role == role]
        alive = [beat for beat in beats if signs.now - beat.seen_at < settings.HEARTBEAT_LATE]
        chip = _chip_of(role, label, signs, is_alive=bool(alive))
        last = sorted(beats, key=lambda beat: beat.seen_at)[-1:]
        found += [Process(chip, beat.instance, beat.seen_at) for beat in alive or last]
        if not beats:
            found.append(Process(chip, "never seen", None))
    return found


def _chip_of(role: Role, label: str, signs: Signs, *, is_alive: bool) -> rows.Chip:
    if role in signs.away:
        return rows.Chip(label, "failed", _MEND.get(role, "No sign of life lately: start it."))
    if not is_alive:  # nobody can tell
        return rows.Chip(label, "waiting", "Beat would know." if role == Role.BROKER else "It may wait for the broker.")
    return rows.Chip(label, "done")


def _signs(heartbeats: Sequence[Heartbeat]) -> Signs:
    seen: dict[Role, datetime | None] = dict.fromkeys(Role)
    now = datetime.min.replace(tzinfo=UTC)
    for beat in heartbeats:
        role = Role(beat.role)
        now = getattr(beat, "database_now")  # noqa: B009 - an annotation that no type knows
        seen[role] = max(seen[role] or beat.seen_at, beat.seen_at)
    return Signs(seen, now)


def _doubt(command: Command, pauses: Sequence[Pause], now: datetime) -> Doubt:
    until = rerun.may_run_until(command)
    return Doubt(
        chip=rows.chip_of(command),
        url=reverse("command", args=[command.id]),
        title=f"{rows.kind_label(command.kind)} on {command.device_name or command.device_id}",
        account=command.account.name,
        since=command.status_at,
        words=rows.reason_of(command),
        what_to_do=_what_to_do(command, pauses, now),
        runs_until=until if until and until > now else None,
    )


def _what_to_do(command: Command, pauses: Sequence[Pause], now: datetime) -> str:
    rests = _rests(pauses)
    if command.status == Status.UNCERTAIN:
        searched = (
            "Nothing: Cloudflare's list is searched for it, and it gets a name when that has been done long enough."
        )
        return rests or searched
    left = command.status_at + settings.UNCONFIRMED_DAILY_FOR - now
    days = max(1, round(left / timedelta(days=1)))
    looked_for = rests or f"It is looked for here for {days} more days at most."
    return (
        f"Look for it in Cloudflare's dashboard if it matters. {looked_for} Who still needs the result runs it again."
    )


def _rests(pauses: Sequence[Pause]) -> str:
    """Why nothing that is in doubt is looked for now; '' while it is."""
    listing = next((pause for pause in pauses if pause.act == Pause.Act.LIST), None)
    if listing is None:
        return ""
    then = ": mend that first." if listing.refused else " until Cloudflare answers again."
    return f"Listing rests, so nobody looks for it{then}"
