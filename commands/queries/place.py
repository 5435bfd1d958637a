"""Where a person stands: the account a page is about, the rights there, the accounts to switch to, and what is alive.

Owns what every page's frame needs, in two queries: the person's Grants, and the accounts with all that stands beside
them; where something rests, a few more. The table's token comes from here, so it is read before any row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import FETCH_RAISE, OuterRef, Subquery
from django.http import Http404

from commands.access import Right, Rights, rights_of
from commands.actions.run import closed
from commands.models import Account, Command, Heartbeat, Pause, User
from commands.queries.counting import CountOf
from commands.queries.pauses import NO_TROUBLE, Trouble, may_rest, trouble

QUERIES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """`accounts`: all in use that the person may see or run in, by name. `alive`: by role, the last sign of life."""

    user: User
    account: Account  # with its sync and version
    rights: frozenset[Right]
    accounts: tuple[Account, ...]
    alive: Mapping[Heartbeat.Role, datetime | None]
    claimed: int  # commands that the quota, as it was last read, does not know yet
    list_pause: str  # why listing rests now; '' if it does not
    all_rights: Rights
    trouble: Trouble

    @property
    def quota_used(self) -> int | None:
        """Commands of the quota's day: as Cloudflare told, and those that we sent since."""
        used = self.account.sync.quota_used
        return None if used is None else used + self.claimed

    @property
    def closed(self) -> str:
        """Why nothing can be run here; '' if something can."""
        refusal = closed(self.account)
        return refusal.reason if refusal else ""

    @property
    def token(self) -> str:
        """Equal as long as nothing changed that this person could see in a list of the account."""
        return f"{self.account.version.number}.{self.user.rights_version}"


def find(user: User, account_id: UUID | None, *, now: datetime, with_trouble: bool = True) -> Place:
    """The place, for somebody who may see or run there; raises Http404 or PermissionDenied as `access.py` does.

    `with_trouble`: also what rests, for the banners; three queries more where something does.
    """
    rights = rights_of(user)
    accounts = list(_accounts(now))
    account = _chosen(accounts, rights, account_id)
    return Place(
        user=user,
        account=account,
        rights=rights.within(account.id),
        accounts=tuple(one for one in accounts if is_in_force(one) and _useful(rights, one)),
        alive={role: getattr(account, f"alive_{role}") for role in Heartbeat.Role},
        claimed=getattr(account, "claimed"),  # noqa: B009 - as below
        list_pause=getattr(account, "list_pause") or "",  # noqa: B009 - an annotation that no type knows
        all_rights=rights,
        trouble=trouble(account.id, now=now) if with_trouble and getattr(account, "may_rest") else NO_TROUBLE,  # noqa: B009
    )


def _accounts(now: datetime) -> Any:
    beats: dict[str, Any] = {
        f"alive_{role}": Subquery(Heartbeat.objects.filter(role=role).order_by("-seen_at").values("seen_at")[:1])
        for role in Heartbeat.Role
    }
    listing = Pause.objects.filter(account=OuterRef("pk"), act=Pause.Act.LIST, until__gt=now)
    claimed = Command.objects.filter(dispatch__account=OuterRef("pk")).claimed_since(OuterRef("sync__quota_read_at"))
    rows = Account.objects.select_related("sync", "version").annotate(
        claimed=CountOf(claimed.values("id")),
        may_rest=may_rest(),
        list_pause=Subquery(listing.values("words")[:1]),
        **beats,
    )
    return rows.fetch_mode(FETCH_RAISE).order_by("name", "id")


def _chosen(accounts: list[Account], rights: Rights, account_id: UUID | None) -> Account:
    if account_id is None:
        first = next((one for one in accounts if is_in_force(one) and _useful(rights, one)), None)
        if first is None:
            words = "You don't have the right to see or run commands in any account that is in use."
            raise PermissionDenied(words)
        return first
    account = next((one for one in accounts if one.id == account_id), None)
    if account is None or not rights.within(account.id):
        raise Http404("There is no such thing here.")
    if not _useful(rights, account):
        raise PermissionDenied(f"You don't have the right to see or run commands in {account.name}.")
    return account


def is_in_force(account: Account) -> bool:
    """As `AccountQuerySet.in_force`, of a row that is here already."""
    return closed(account) is None


def _useful(rights: Rights, account: Account) -> bool:
    return bool(rights.within(account.id) & {Right.SEE, Right.RUN})
