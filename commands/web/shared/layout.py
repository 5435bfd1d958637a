"""Frame of every page: person, account, quota, freshness, and banners about what is down. Built without a query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from commands.access import Right
from commands.models import User
from commands.queries.heartbeats import Role
from commands.queries.status import administered
from commands.queries.viewer_context import ViewerContext, is_active
from commands.web.shared import banners as pauses
from commands.web.shared.banners import Banner


@dataclass(frozen=True, slots=True)
class QuotaMeter:
    used: int
    total: int
    resets_at: datetime | None
    url: str  # history of the quota's day, '' for a viewer who may not see it

    @property
    def is_low(self) -> bool:
        return self.used * 10 >= self.total * 9


@dataclass(frozen=True, slots=True)
class Freshness:
    """Age of the list. `tone` is done, waiting, withdrawn or failed. The browser counts the age from `at`."""

    tone: str
    label: str
    at: datetime | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AccountLink:
    name: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Frame:
    account_id: UUID
    account_name: str
    accounts: Sequence[AccountLink]
    quota: QuotaMeter | None
    freshness: Freshness
    banners: Sequence[Banner]
    person: str
    initials: str
    is_staff: bool
    administers: bool
    desk_url: str
    history_url: str  # '' for a viewer who may not see commands there
    status_url: str


def build(context: ViewerContext, *, now: datetime) -> Frame:
    account = context.account
    query = urlencode({"account": account.id})
    return Frame(
        account_id=account.id,
        account_name=account.name,
        accounts=[
            AccountLink(other.name, f"{reverse('desk')}?{urlencode({'account': other.id})}", other.id == account.id)
            for other in context.accounts
        ],
        quota=_quota(context, now),
        freshness=_freshness(context, now),
        banners=_banners(context, now),
        person=name_of(context.user),
        initials=initials_of(context.user),
        is_staff=context.user.is_staff,
        administers=administered(context.all_rights) is not None,
        desk_url=f"{reverse('desk')}?{query}",
        history_url=f"{reverse('history')}?{query}" if Right.SEE in context.rights else "",
        status_url=f"{reverse('frame')}?{query}",
    )


def name_of(user: User) -> str:
    return user.get_full_name() or user.username


def initials_of(user: User) -> str:
    parts = name_of(user).replace(".", " ").split()
    return "".join(part[0] for part in parts[:2]).upper() if len(parts) > 1 else name_of(user)[:2].upper()


def _quota(context: ViewerContext, now: datetime) -> QuotaMeter | None:
    sync = context.account.sync
    if context.quota_used is None or not sync.quota_total:
        return None
    quota_day = sync.quota_reset_at - timedelta(days=1) if sync.quota_reset_at else now
    query = urlencode({"account": context.account.id, "since": f"{quota_day.astimezone(UTC):%Y-%m-%d}"})
    url = f"{reverse('history')}?{query}" if Right.SEE in context.rights else ""
    return QuotaMeter(context.quota_used, sync.quota_total, sync.quota_reset_at, url)


def _freshness(context: ViewerContext, now: datetime) -> Freshness:
    """Return how fresh the listing is. Between two due listings nothing is overdue."""
    sync = context.account.sync
    if not is_active(context.account):
        return Freshness("withdrawn", "Not synced", sync.listed_at, "This account is inactive.")
    if context.list_pause:
        return Freshness("failed", "Not synced", sync.listed_at, context.list_pause)
    if sync.listed_at is None:
        return Freshness("waiting", "Not synced yet", None)
    late = sync.awaited_at is not None and now - sync.awaited_at > settings.SYNC_LATE
    return Freshness("waiting" if late else "done", "Synced", sync.listed_at, "It is overdue." if late else "")


def _banners(context: ViewerContext, now: datetime) -> list[Banner]:
    """Return the banners about services that are down. The pages work without them."""
    if not is_active(context.account):
        return [Banner("waiting", "This account is inactive.", "History is kept. No commands are sent.")]
    banners = [_down(role, context.liveness.seen[role]) for role in context.liveness.down]
    if not context.wakes and Role.BROKER not in context.liveness.down:
        banners.insert(
            0, Banner("waiting", "Message queue unavailable.", "Commands still go out, a few seconds later.")
        )
    return banners + pauses.banners(context.trouble, context.account.sync.listed_at)


def _down(role: Role, seen_at: datetime | None) -> Banner:
    tone, title, sentence = _DOWN[role]
    return Banner(tone, title, sentence, "Last seen:", seen_at)


_DOWN = {
    Role.BROKER: (
        "failed",
        "Message queue unavailable.",
        "The workers can't be woken. Commands are kept and go out later.",
    ),
    Role.BEAT: (
        "failed",
        "The scheduler (beat) is down.",
        (
            "New commands still go out. Waiting commands are not retried and statuses are not updated, "
            "so this page may be out of date."
        ),
    ),
    Role.TALK: (
        "failed",
        "The Cloudflare worker is down.",
        "No commands are being sent or updated.",
    ),
    Role.FETCH: (
        "waiting",
        "The download worker is down.",
        "Results are not being downloaded. Cloudflare keeps them for 7 days.",
    ),
}
