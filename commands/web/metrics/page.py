"""/metrics in Prometheus' text format. Labels hold Cloudflare's account ids, whose names may change, and no people."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from commands.clock import is_ahead
from commands.models import Heartbeat, Pause
from commands.queries.metrics import AccountFigures, Figures, HeartbeatAge
from commands.rules.states import OPEN

_SHARED = "Accounts with the same credential share it. Do not add them up."

type Names = Mapping[UUID, str]


class _Collected(Collector):
    """Figures of one scrape, each collected once."""

    def __init__(self, figures: Figures, now: datetime) -> None:
        self._figures = figures
        self._now = now

    def collect(self) -> Iterator[Metric]:
        names = {account.id: account.cloudflare_id for account in self._figures.accounts}
        yield from _commands(self._figures, names, self._now)
        yield from _outcomes(self._figures, names)
        yield from _accounts(self._figures.accounts, self._now)
        yield _paused(self._figures.pauses, names)
        yield from _heartbeats(self._figures.heartbeats)


def text(figures: Figures, *, now: datetime) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(figures, now))
    return generate_latest(registry)


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dexportal_{name}", about, labels=labels)


def _commands(figures: Figures, names: Names, now: datetime) -> Iterator[Metric]:
    open_ = _gauge("commands_open", "Commands that have not finished, by status.", "account", "status")
    held = _gauge("commands_held", "Commands that wait for somebody to press Send now.", "account")
    oldest = _gauge(
        "oldest_unsent_seconds",
        "Age of the oldest queued command that only waits to be sent: not held, not barred after a restore.",
        "account",
    )
    counts = {(figure.account_id, figure.status): figure.count for figure in figures.open}
    for account_id, name in names.items():
        for status in sorted(OPEN):
            open_.add_metric([name, status], counts.get((account_id, status), 0))
        own = [figure for figure in figures.open if figure.account_id == account_id]
        held.add_metric([name], sum(figure.held for figure in own))
        since = [figure.oldest_unsent_at for figure in own if figure.oldest_unsent_at]
        oldest.add_metric([name], _age(min(since, default=None), now) or 0.0)
    yield from (open_, held, oldest)


def _outcomes(figures: Figures, names: Names) -> Iterator[Metric]:
    ended = _gauge(
        "outcomes_last_day",
        "Commands requested here in the last day that finished, by outcome.",
        "account",
        "kind",
        "status",
    )
    took = _gauge(
        "outcomes_last_day_duration_seconds_mean",
        "Mean seconds from the request to the end, of the commands in outcomes_last_day.",
        "account",
        "kind",
        "status",
    )
    for one in figures.outcomes:
        if one.account_id in names:
            labels = [names[one.account_id], one.kind, one.status]
            ended.add_metric(labels, one.count)
            took.add_metric(labels, one.took.total_seconds())
    yield ended
    yield took


def _accounts(accounts: Iterable[AccountFigures], now: datetime) -> Iterator[Metric]:
    age = _gauge(
        "sync_age_seconds",
        "Since the last successful listing began. Every 30 minutes if no command is open. Absent if never.",
        "account",
    )
    late = _gauge(
        "sync_late_seconds",
        "How long a listing is due that no worker makes. One that fails is due again when its pause ends: see paused "
        "and sync_age_seconds.",
        "account",
    )
    left = _gauge("calls_left", f"API calls that the account's credential can make at once now. {_SHARED}", "account")
    throttled = _gauge("throttled", f"1 while Cloudflare rate-limits its credential (429). {_SHARED}", "account")
    wanted = _gauge("artifacts_wanted", "Results that are not downloaded yet.", "account")
    soon = _gauge("artifacts_deleted_soon", "Those that Cloudflare deletes within a day.", "account")
    quota_left = _gauge(
        "quota_left",
        "Commands that Cloudflare still accepts today: as last read, less those sent since. Absent if unknown.",
        "account",
    )
    for account in accounts:
        name, sync, budget = [account.cloudflare_id], account.sync, account.budget
        if (seconds := _age(sync.listed_at, now)) is not None:
            age.add_metric(name, seconds)
        late.add_metric(name, _age(sync.awaited_at, now) or 0.0)
        if budget is not None:
            left.add_metric(name, budget.calls_available(now))
            throttled.add_metric(name, int(is_ahead(budget.paused_until, now)))
        if (commands := sync.quota.left(account.claimed, now)) is not None:
            quota_left.add_metric(name, commands)
        wanted.add_metric(name, account.artifacts_wanted)
        soon.add_metric(name, account.artifacts_deleted_soon)
    yield from (age, late, left, throttled, quota_left, wanted, soon)


def _paused(pauses: Iterable[Pause], names: Names) -> Metric:
    paused = _gauge("paused", "1 for an operation that is paused or being retried.", "account", "operation", "refused")
    for pause in pauses:
        if pause.account_id in names:
            paused.add_metric([names[pause.account_id], pause.operation, str(pause.refused).lower()], 1)
    return paused


def _heartbeats(beats: Iterable[HeartbeatAge]) -> Iterator[Metric]:
    """Collect `alive` for every role. A role that was never started has no age, so no alert on its age would fire."""
    alive = _gauge(
        "alive",
        "1 for a role with a recent heartbeat. Beat writes the broker's. Workers are silent while the broker is down.",
        "role",
    )
    age = _gauge("heartbeat_age_seconds", "Since the last heartbeat of the role. Absent if never.", "role")
    newest: dict[str, timedelta] = {}
    for beat in beats:
        newest[beat.role] = min(newest.get(beat.role, beat.age), beat.age)
    for role in Heartbeat.Role:
        alive.add_metric([role], int(role in newest and newest[role] < settings.HEARTBEAT_LATE))
    for seen, since in newest.items():
        age.add_metric([seen], max(timedelta(), since).total_seconds())
    yield from (alive, age)


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(timedelta(), now - at).total_seconds()
