"""/metrics in Prometheus' text format. Accounts go by Cloudflare's id: names may change, and people stand in none."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from commands import clock
from commands.actions.upstream import quota, rate_limit
from commands.models import Account, Heartbeat, Pause
from commands.queries.metrics import Figures
from commands.rules.states import OPEN

_SHARED = "Accounts with one credential tell the same: do not add them up."

type Names = Mapping[UUID, str]


class _Collected(Collector):
    """The figures of one scrape, each asked for once."""

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
    open_ = _gauge("commands_open", "Commands that have not ended, by status.", "account", "status")
    held = _gauge("commands_held", "Commands that go out only when somebody says “Send now”.", "account")
    oldest = _gauge(
        "oldest_unsent_seconds",
        "Age of the oldest command that is queued and could go: not held, not barred after a restore.",
        "account",
    )
    counts = {(one.account_id, one.status): one.count for one in figures.open}
    for account_id, name in names.items():
        for status in sorted(OPEN):
            open_.add_metric([name, status], counts.get((account_id, status), 0))
        own = [one for one in figures.open if one.account_id == account_id]
        held.add_metric([name], sum(one.held for one in own))
        since = [one.oldest_unsent_at for one in own if one.oldest_unsent_at]
        oldest.add_metric([name], _age(min(since, default=None), now) or 0.0)
    yield from (open_, held, oldest)


def _outcomes(figures: Figures, names: Names) -> Iterator[Metric]:
    ended = _gauge(
        "outcomes_last_day", "Commands asked for here in the last day, by how they ended.", "account", "kind", "status"
    )
    took = _gauge(
        "outcomes_last_day_duration_seconds_mean",
        "Seconds from asking to the end, the mean of those that outcomes_last_day counts.",
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


def _accounts(accounts: Iterable[Account], now: datetime) -> Iterator[Metric]:
    age = _gauge(
        "sync_age_seconds",
        "Since the last good listing began: every 30 minutes where nothing is open; absent: never.",
        "account",
    )
    late = _gauge(
        "sync_late_seconds",
        "How long nobody has begun a listing that is due, or its lease is over. One that fails is due again when its "
        "pause ends: see paused and sync_age_seconds.",
        "account",
    )
    left = _gauge("calls_left", f"Calls that the account's credential can make at once now. {_SHARED}", "account")
    throttled = _gauge("throttled", f"1 while Cloudflare takes no call of its credential (429). {_SHARED}", "account")
    wanted = _gauge("artifacts_wanted", "Results that are to be fetched and are not here yet.", "account")
    soon = _gauge("artifacts_deleted_soon", "Of artifacts_wanted: Cloudflare deletes them within a day.", "account")
    quota_left = _gauge(
        "quota_left",
        "Commands that Cloudflare takes today: as read, less those sent since; absent: unknown.",
        "account",
    )
    for account in accounts:
        name, sync, credential = [account.cloudflare_id], account.sync, account.credential
        if (seconds := _age(sync.listed_at, now)) is not None:
            age.add_metric(name, seconds)
        late.add_metric(name, _age(sync.awaited_at, now) or 0.0)
        if credential is not None:
            left.add_metric(name, rate_limit.calls_left(credential.budget, now))
            throttled.add_metric(name, int(clock.is_ahead(credential.budget.paused_until, now)))
        counted: Mapping[str, int] = vars(account)
        if (commands := quota.left_after(sync, counted["claimed"], now)) is not None:
            quota_left.add_metric(name, commands)
        wanted.add_metric(name, counted["artifacts_wanted"])
        soon.add_metric(name, counted["artifacts_deleted_soon"])
    yield from (age, late, left, throttled, quota_left, wanted, soon)


def _paused(pauses: Iterable[Pause], names: Names) -> Metric:
    paused = _gauge("paused", "1 for each act that rests now, or is tried again.", "account", "act", "refused")
    for pause in pauses:
        if pause.account_id in names:
            paused.add_metric([names[pause.account_id], pause.act, str(pause.refused).lower()], 1)
    return paused


def _heartbeats(beats: Iterable[Heartbeat]) -> Iterator[Metric]:
    """`alive` is there for every role: of one that was never started there is no age, and none is above any limit."""
    alive = _gauge(
        "alive",
        "1 for a role that gave a sign of life lately. For the broker beat gives it; workers without it are silent.",
        "role",
    )
    age = _gauge("heartbeat_age_seconds", "Since the role's last sign of life, of any process; absent: never.", "role")
    newest: dict[str, timedelta] = {}
    for beat in beats:
        since: timedelta = getattr(beat, "age")  # noqa: B009 - an annotation that no type knows
        newest[beat.role] = min(newest.get(beat.role, since), since)
    for role in Heartbeat.Role:
        alive.add_metric([role], int(role in newest and newest[role] < settings.HEARTBEAT_LATE))
    for seen, since in newest.items():
        age.add_metric([seen], max(timedelta(), since).total_seconds())
    yield from (alive, age)


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(timedelta(), now - at).total_seconds()
