"""Account that a page is about, the viewer's rights there, the accounts to switch to, and which processes are alive.

The frame of a page needs no more. Two queries: the grants of the person, and the accounts with their pauses. The token
of a list comes from here, so it is read before any row.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import FETCH_RAISE, OuterRef, Subquery
from django.db.models.functions import Now

from commands.access import Right, Rights, not_found, rights_of
from commands.models import Account, Command, Heartbeat, User
from commands.queries import pauses
from commands.queries.heartbeats import Liveness
from commands.queries.subqueries import SubqueryCount
from commands.rules.pauses import Operation
from commands.rules.wording.refusals import describe_refusal
from commands.wakeup import backoff

QUERIES = 2


@dataclass(frozen=True, slots=True)
class ViewerContext:
    """Person, chosen account and rights there, with what the frame of every page shows.

    `accounts` are all active ones that the person may see or run in, by name. `wakes` is false while this process can't
    reach the broker.
    """

    user: User
    account: Account  # with its sync and version
    rights: frozenset[Right]
    accounts: tuple[Account, ...]
    liveness: Liveness
    wakes: bool
    claimed: int  # commands that the last reading of the quota doesn't include
    list_pause: str  # why listing is paused now, '' if it isn't
    all_rights: Rights
    trouble: pauses.AccountPauses

    @property
    def quota_used(self) -> int | None:
        """Return the commands used of the daily quota: Cloudflare's count and those sent since. None if unknown."""
        return self.account.sync.quota.used_today(self.claimed, self.liveness.now)

    @property
    def closed(self) -> str:
        """Return why no command can be run in this account, or ''."""
        refusal = self.account.refusal_to_run()
        return describe_refusal(refusal) if refusal else ""

    @property
    def token(self) -> str:
        """Return a text that changes when this person could see a change in a list of the account."""
        return f"{self.account.version.number}.{self.user.rights_version}"


def find(user: User, account_id: UUID | None, *, now: datetime, with_trouble: bool = True) -> ViewerContext:
    """Return the context of a person who may see or run there. Raises Http404 or PermissionDenied as `access.py` does.

    `with_trouble`: include the pauses, for the banners.
    """
    rights = rights_of(user)
    rows = list(_accounts(now))
    accounts = list({row.id: row for row in rows}.values())
    account = _chosen(accounts, rights, account_id)
    shown = pauses.pauses_from_rows(_of(account, rows), now=now)
    listing = shown.of(Operation.LIST)
    return ViewerContext(
        user=user,
        account=account,
        rights=rights.within(account.id),
        accounts=tuple(account for account in accounts if is_active(account) and _can_use(rights, account)),
        liveness=Liveness(
            {role: getattr(account, f"alive_{role}") for role in Heartbeat.Role},
            getattr(account, "database_now"),  # noqa: B009 - an annotation that no type knows
        ),
        wakes=not backoff.is_active(),
        claimed=getattr(account, "claimed"),  # noqa: B009
        list_pause=listing.reason if listing else "",
        all_rights=rights,
        trouble=shown if with_trouble else pauses.NO_PAUSES,
    )


def claimed() -> SubqueryCount:
    """Annotate a query of accounts with the number of commands that the last reading of the quota doesn't include."""
    sent = Command.objects.filter(dispatch__account=OuterRef("pk")).claimed_since(OuterRef("sync__quota_read_at"))
    return SubqueryCount(sent.values("id"))


def _of(account: Account, rows: list[Account]) -> list[Account]:
    """Return the rows of one account, one for each paused operation."""
    return [row for row in rows if row.id == account.id]


def _accounts(now: datetime) -> Any:
    beats: dict[str, Any] = {
        f"alive_{role}": Subquery(
            Heartbeat.objects.credible().filter(role=role).order_by("-seen_at").values("seen_at")[:1]
        )
        for role in Heartbeat.Role
    }
    rows = Account.objects.select_related("sync", "version").annotate(
        claimed=claimed(),
        database_now=Now(),
        **beats,
        **pauses.pause_annotations(now),
    )
    return rows.fetch_mode(FETCH_RAISE).order_by("name", "id")


def _chosen(accounts: list[Account], rights: Rights, account_id: UUID | None) -> Account:
    if account_id is None:
        first = next((account for account in accounts if is_active(account) and _can_use(rights, account)), None)
        if first is None:
            raise PermissionDenied("You don't have access to any account yet.")
        return first
    account = next((account for account in accounts if account.id == account_id), None)
    if account is None or not rights.within(account.id):
        raise not_found()
    if not _can_use(rights, account):
        raise PermissionDenied(f"You don't have the right to see or run commands in {account.name}.")
    return account


def is_active(account: Account) -> bool:
    """Return the same as `AccountQuerySet.active` does, for a row that was read already."""
    return account.refusal_to_run() is None


def _can_use(rights: Rights, account: Account) -> bool:
    return bool(rights.within(account.id) & {Right.SEE, Right.RUN})
