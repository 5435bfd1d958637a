"""Withdrawal of commands before they are sent."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from uuid import UUID

from commands.actions.record.transitions import BATCH, Transition, change_statuses
from commands.audit import by_person
from commands.models import Account, Command, User
from commands.models.command import CommandQuerySet
from commands.rules.states import Status


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Result for each command: `withdrawn` by this call, or `kept` with its status, as it was sent or has ended."""

    withdrawn: frozenset[UUID]
    kept: Mapping[UUID, Status]


def withdraw(*, account: Account, ids: Collection[UUID], by: User, now: datetime) -> Withdrawal:
    """Withdraw the commands of the account that are not sent yet. Ids of other accounts are in neither result."""
    ours = Command.objects.filter(account=account).ours()
    known = dict(_statuses(ours, ids))
    with change_statuses(by=by_person(by), now=now) as changes:
        withdrawn = frozenset(changes.write(Transition(id_, Status.WITHDRAWN) for id_ in known))
    return Withdrawal(withdrawn, dict(_statuses(ours, set(known) - withdrawn)))


def _statuses(rows: CommandQuerySet, ids: Collection[UUID]) -> Iterator[tuple[UUID, Status]]:
    for batch in batched(sorted(set(ids)), BATCH):
        for id_, status in rows.filter(id__in=batch).values_list("id", "status"):
            yield id_, Status(status)
