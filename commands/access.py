"""Rights of a person in an account, and fetching of an object together with the right to it.

Only this module reads Grants. Rights come from the Grants of a person's groups and from nothing else: a superuser has
no extra right, and one right does not include another. `policies.py` says when something may be done. This module
writes nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import FETCH_RAISE, Exists, OuterRef, Q, QuerySet
from django.http import Http404

from commands.models import Account, Command, Grant, Run, User
from commands.models.account import AccountQuerySet

type Person = User | AnonymousUser


class Right(StrEnum):
    """Rights, named like the columns of a Grant."""

    RUN = "run"
    SEE = "see"
    SEE_CONTENTS = "see_contents"
    EXPORT = "export"
    ADMINISTER = "administer"

    @property
    def phrase(self) -> str:
        """Return the end of the sentence "you don't have the right to …"."""
        return _PHRASES[self]


_PHRASES: Mapping[Right, str] = {
    Right.RUN: "run commands",
    Right.SEE: "see commands",
    Right.SEE_CONTENTS: "open or download results",
    Right.EXPORT: "export",
    Right.ADMINISTER: "administer",
}
_NONE: frozenset[Right] = frozenset()


@dataclass(frozen=True, slots=True)
class Rights:
    """All rights of one person."""

    everywhere: frozenset[Right] = _NONE
    by_account: Mapping[UUID, frozenset[Right]] = MappingProxyType({})

    def within(self, account_id: UUID) -> frozenset[Right]:
        return self.everywhere | self.by_account.get(account_id, _NONE)


def rights_of(user: Person) -> Rights:
    """Read the person's rights with one query. None for a person who is signed out or inactive, without a query."""
    if not user.is_active:
        return Rights()
    everywhere: set[Right] = set()
    by_account: dict[UUID, set[Right]] = {}
    for grant in Grant.objects.filter(group__user=user.pk):
        granted = by_account.setdefault(grant.account_id, set()) if grant.account_id else everywhere
        granted.update(right for right in Right if getattr(grant, right))
    return Rights(frozenset(everywhere), {account: frozenset(rights) for account, rights in by_account.items()})


def rights_in(user: Person, account: Account) -> frozenset[Right]:
    return rights_of(user).within(account.id)


def accounts_with(user: Person, right: Right) -> AccountQuerySet:
    """Return the accounts in which the person has the right, retired ones too. Lists show only these."""
    if not user.is_active:
        return Account.objects.none()
    grants = Grant.objects.filter(Q(account=None) | Q(account=OuterRef("pk")), group__user=user.pk, **{right: True})
    return Account.objects.filter(Exists(grants))


def administrators_of(account: Account | OuterRef) -> QuerySet[User]:
    """Return the active people with an email address who may administer the account. Some of them come twice."""
    grants = Q(groups__grants__account=None) | Q(groups__grants__account=account)
    return User.objects.filter(grants, groups__grants__administer=True, is_active=True).exclude(email="")


def get_command(user: Person, command_id: UUID, right: Right) -> Command:
    """Return the command with its account, run, requester and dispatch. Nothing else is loaded later."""
    related = ("account", "run", "requested_by", "dispatch")
    rows = Command.objects.select_related(*related).defer("dispatch__body").fetch_mode(FETCH_RAISE)
    command = rows.filter(id=command_id).first()
    return _checked(user, command, command.account if command else None, right)


def get_commands(user: Person, ids: Collection[UUID], right: Right) -> list[Command]:
    """Return all of these commands with the same related rows as `get_command`, newest first. Makes two queries.

    Raises:
        Http404: a command does not exist, or the person has no right at all in its account.
        PermissionDenied: the person has rights in the account of a command, but not this one.
    """
    related = ("account", "run", "requested_by", "dispatch")
    rows = Command.objects.filter(id__in=set(ids)).select_related(*related).fetch_mode(FETCH_RAISE)
    commands, rights = list(rows.order_by("-id")), rights_of(user)
    if len(commands) < len(set(ids)) or not all(rights.within(one.account_id) for one in commands):
        raise not_found()
    for command in commands:
        if right not in rights.within(command.account_id):
            raise PermissionDenied(f"You don't have the right to {right.phrase} in {command.account.name}.")
    return commands


def not_found() -> Http404:
    """Build the answer for an object that is absent, or that belongs to an account in which the person has no right."""
    return Http404("Page not found.")


def get_run(user: Person, run_id: UUID, right: Right) -> Run:
    """Return the run with its account and requester. Nothing else is loaded later."""
    related = ("account", "requested_by")
    run = Run.objects.filter(id=run_id).select_related(*related).fetch_mode(FETCH_RAISE).first()
    return _checked(user, run, run.account if run else None, right)


def _checked[T](user: Person, found: T | None, account: Account | None, right: Right) -> T:
    """Return the object if the person has the right. Without any right in its account, the object does not exist."""
    rights = rights_in(user, account) if account else _NONE
    if found is None or account is None or not rights:
        raise not_found()
    if right not in rights:
        raise PermissionDenied(f"You don't have the right to {right.phrase} in {account.name}.")
    return found
