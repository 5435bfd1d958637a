"""The only place that writes a status, of a command or of an artifact.

A move is one conditional update of all commands that make it, with their Events and the account's version in the same
transaction. What was not in an allowed state is left alone: the caller learns which ones moved.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Greatest

from commands import audit
from commands.actions.record.case_by_pk import CaseByPk
from commands.audit import By, Subject
from commands.models import AccountVersion, Artifact, Command, Event
from commands.rules.events import EventType
from commands.rules.states import ARTIFACT_MOVES, COMMAND_MOVES, ArtifactStatus, Status, sources

log = structlog.get_logger(__name__)

BATCH = 500
NAMED_IN_A_LINE = 10  # commands, of those that made a move together
OUTCOMES = (Status.UNCERTAIN, Status.UNCONFIRMED, Status.REJECTED, Status.EXPIRED, Status.FAILED, Status.SUCCESS)
MAX_MESSAGE = 500  # characters that the columns of a remote message hold
NEVER_SENT = frozenset({Status.WITHDRAWN, Status.EXPIRED})  # nobody says so of one that a restore made doubtful

type Values = Mapping[str, object]


@dataclass(slots=True)
class StatusWriter:
    """A transaction that changes what lists show. Made by `change()`; its verbs raise nothing for what did not move."""

    now: datetime
    by: By
    accounts: set[UUID] = field(default_factory=set)
    news: list[dict[str, object]] = field(default_factory=list)

    def move(
        self,
        ids: Iterable[UUID],
        *,
        to: Status,
        reason_code: str = "",
        remote_message: str = "",
        by: By | None = None,
        where: Q | None = None,
        values: Values | None = None,
        each: Mapping[UUID, Values] | None = None,
        event: EventType = EventType.MOVED,
        data: Values | None = None,
        each_data: Mapping[UUID, Values] | None = None,
    ) -> list[UUID]:
        """Move those of the commands that may, and store the reason. Returns the ids that moved, in order.

        `values` are set on all, `each` on single ones, both in the same update. `where` is a further condition.
        """
        by = by or self.by
        allowed = Q(status__in=sources(COMMAND_MOVES, to, by.mover)) & (where or Q())
        if to in NEVER_SENT:
            allowed &= Q(dispatch=None)
        reason = {"reason_code": reason_code, "remote_message": remote_message[:MAX_MESSAGE]}
        new = {"status": to, "status_at": Greatest("status_at", Value(self.now)), **reason, **(values or {})}
        event_data = {**{key: value for key, value in reason.items() if value}, **(data or {})}
        return self._write(
            ids, allowed=allowed, values=new, each=each, by=by, event=event, to=to, data=event_data, each_data=each_data
        )

    def note(
        self,
        ids: Iterable[UUID],
        *,
        event: EventType,
        where: Q | None = None,
        values: Values | None = None,
        each: Mapping[UUID, Values] | None = None,
        data: Values | None = None,
        each_data: Mapping[UUID, Values] | None = None,
    ) -> list[UUID]:
        """Set values and write an Event without a move; as `move` otherwise."""
        return self._write(
            ids,
            allowed=where or Q(),
            values=values or {},
            each=each,
            by=self.by,
            event=event,
            to=None,
            data=data or {},
            each_data=each_data,
        )

    def touch(self, account_id: UUID) -> None:
        """Something that a list shows changed in another way (a row was made, a file arrived)."""
        self.accounts.add(account_id)

    def move_artifact(
        self,
        artifact: Artifact,
        *,
        to: ArtifactStatus,
        where: Q | None = None,
        values: Values | None = None,
        tell: bool = True,
    ) -> bool:
        """Move one artifact, with the command's Event; False if it was no longer in an allowed state.

        `tell` False: without an Event, for a step that only repeats what the history says already.
        """
        allowed = Q(status__in=sources(ARTIFACT_MOVES, to, self.by.mover)) & (where or Q())
        new = {"status": to, "status_at": self.now, **(values or {})}
        if not Artifact.objects.filter(allowed, id=artifact.id).update(**new):
            return False
        if not tell:
            self.touch(artifact.command.account_id)
            return True
        shown: Values = {key: new[key] for key in ("size", "sha256", "reason_code", "remote_message") if key in new}
        data: Values = {"artifact": str(artifact.id), "artifact_status": to, **shown}
        self.note([artifact.command_id], event=EventType.ARTIFACT, data=data)
        return True

    def _write(
        self,
        ids: Iterable[UUID],
        *,
        allowed: Q,
        values: Values,
        each: Mapping[UUID, Values] | None,
        by: By,
        event: EventType,
        to: Status | None,
        data: Values,
        each_data: Mapping[UUID, Values] | None,
    ) -> list[UUID]:
        done: list[UUID] = []
        names = sorted({name for own in (each or {}).values() for name in own})
        for batch in batched(sorted(set(ids)), BATCH):
            subjects, before = _locked(batch, allowed, to, self.now, names)
            if not subjects:
                continue
            new = {**values, **_single(before, each or {}, values), "version": F("version") + 1}
            Command.objects.filter(id__in=list(before)).update(**new)
            audit.write(subjects, event=event, by=by, now=self.now, data=data, each=each_data)
            self.accounts.update(subject.account_id for subject in subjects)
            done += before
        if to in OUTCOMES or event in (EventType.ATTACHED, EventType.LATE_ANSWER, EventType.MERGED):
            self.tell(event, done, status=to, reason_code=data.get("reason_code"))
        return done

    def tell(self, event: EventType, ids: Sequence[UUID], **fields: object) -> None:
        """One line of the log about these commands, once all of this is committed."""
        if ids:
            named = [str(id_) for id_ in ids[:NAMED_IN_A_LINE]]
            self.news.append({"outcome": event, "commands": len(ids), "ids": named, **fields})


@contextmanager
def change_statuses(*, by: By, now: datetime) -> Iterator[StatusWriter]:
    """One transaction for moves and notes; its last statement raises the version of every account it touched."""
    with transaction.atomic():
        changes = StatusWriter(now=now, by=by)
        yield changes
        AccountVersion.objects.raise_for(changes.accounts)
    for line in changes.news:
        log.info("outcome", **{name: value for name, value in line.items() if value})


def _locked(
    ids: tuple[UUID, ...], allowed: Q, to: Status | None, now: datetime, names: Sequence[str]
) -> tuple[list[Subject], dict[UUID, Values]]:
    """The commands that may make the move, locked in key order, as the Events will tell of them; and these columns.

    `now` is when the caller began, by its own clock, and another may have written an Event since: a command's history
    never goes back in time.
    """
    last = Event.objects.filter(command=OuterRef("id"), version=OuterRef("version")).values("at")
    rows = list(
        Command.objects.select_for_update(of=("self",))
        .filter(allowed, id__in=ids)
        .order_by("id")
        .values_list("id", "account_id", "run_id", "version", "status", Coalesce(Subquery(last), "status_at"), *names)
    )
    subjects = [
        Subject(id_, account_id, run_id, version + 1, status if to else "", to or "", at=max(now, last_at))
        for id_, account_id, run_id, version, status, last_at in (row[:6] for row in rows)
    ]
    return subjects, {row[0]: dict(zip(names, row[6:], strict=True)) for row in rows}


def _single(before: Mapping[UUID, Values], each: Mapping[UUID, Values], values: Values) -> Values:
    """The columns of which rows have values of their own, for one update; what stays as it is costs nothing.

    A row without one of its own takes that of all, or keeps what it has.
    """
    columns: dict[str, object] = {}
    for name in next(iter(before.values())):
        after = {id_: each.get(id_, {}).get(name, values.get(name, old[name])) for id_, old in before.items()}
        first = next(iter(after.values()))
        if name not in values and all(after[id_] == old[name] for id_, old in before.items()):
            continue
        if all(value == first for value in after.values()):
            columns[name] = first
        else:
            columns[name] = CaseByPk(Command, name, after)
    return columns
