"""Transitions of commands and artifacts. No other module writes a status.

A transition is one conditional update of all commands that make it, with their Events and the account's version in the
same transaction. A command that is not in an allowed state is left alone, and the caller learns which ones changed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from types import MappingProxyType
from typing import NamedTuple
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
IDS_PER_LOG_LINE = 10
LOGGED_STATUSES = (Status.UNCERTAIN, Status.UNCONFIRMED, Status.REJECTED, Status.EXPIRED, Status.FAILED, Status.SUCCESS)
LOGGED_EVENTS = (EventType.ATTACHED, EventType.LATE_ANSWER, EventType.MERGED)
MAX_MESSAGE = 500  # characters that the columns of a remote message hold
NEVER_SENT = frozenset({Status.WITHDRAWN, Status.EXPIRED})  # not for a command that may have been sent before a restore

type Values = Mapping[str, object]

_NOTHING: Values = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Transition:
    """One command's change. `to` None: the status stays, and only `values` and an Event are written.

    The reason is stored with the command and with the Event. A move without a reason clears the old one. `values` are
    further columns of the command, and `data` is what the Event carries beside the reason. Commands that share these
    mappings (the same objects) are the cheapest to write. `by` is the writer's own unless given.
    """

    command_id: UUID
    to: Status | None = None
    reason_code: str = ""
    remote_message: str = ""
    values: Values = _NOTHING
    data: Values = _NOTHING
    event: EventType = EventType.MOVED
    by: By | None = None

    def columns(self) -> Values:
        return {**self._reason(), **self.values} if self.to or self.reason_code else self.values

    def event_data(self) -> Values:
        return {**{name: value for name, value in self._reason().items() if value}, **self.data}

    def _reason(self) -> Values:
        return {"reason_code": self.reason_code, "remote_message": self.remote_message[:MAX_MESSAGE]}

    def writes_as(self, other: "Transition") -> bool:
        """Return whether both are known, without a look into the mappings, to write the same."""
        return (
            self.values is other.values
            and self.data is other.data
            and self.reason_code == other.reason_code
            and self.remote_message == other.remote_message
        )


class _Group(NamedTuple):
    """Values that all rows of one update share."""

    event: EventType
    to: Status | None
    reason_code: str
    by: By

    def sort_key(self) -> tuple[str, str, str, str]:
        return self.event, self.to or "", self.reason_code, self.by.mover


@dataclass(slots=True)
class StatusWriter:
    """Writer for one transaction that changes what lists show. Made by `change_statuses`.

    Its methods raise nothing for a command that may not make its transition.
    """

    now: datetime
    by: By
    accounts: set[UUID] = field(default_factory=set)
    log_lines: list[dict[str, object]] = field(default_factory=list)

    def write(self, transitions: Iterable[Transition], *, where: Q | None = None) -> list[UUID]:
        """Make the transitions that are allowed, and return the ids of the commands that changed.

        `where` is a further condition, checked under the lock. The ids come in key order within each update.
        """
        groups: dict[_Group, dict[UUID, Transition]] = defaultdict(dict)
        for one in transitions:
            groups[_Group(one.event, one.to, one.reason_code, one.by or self.by)][one.command_id] = one
        changed: list[UUID] = []
        for group in sorted(groups, key=_Group.sort_key):
            changed += self._write_group(group, groups[group], where or Q())
        return changed

    def touch(self, account_id: UUID) -> None:
        """Raise the account's version for a change that is no transition, such as a new row."""
        self.accounts.add(account_id)

    def move_artifact(
        self,
        artifact: Artifact,
        *,
        to: ArtifactStatus,
        where: Q | None = None,
        values: Values | None = None,
        data: Values | None = None,
        tell: bool = True,
    ) -> bool:
        """Move one artifact, with the command's Event. Return False if the artifact was in no allowed state.

        The Event carries the reason that is among `values`, and `data`. `tell` False writes no Event, for a step that
        only repeats what the history says already.
        """
        allowed = Q(status__in=sources(ARTIFACT_MOVES, to, self.by.mover)) & (where or Q())
        new: dict[str, object] = {"status": to, "status_at": self.now, **(values or {})}
        if not Artifact.objects.filter(allowed, id=artifact.id).update(**new):
            return False
        if not tell:
            self.touch(artifact.command.account_id)
            return True
        shown: Values = {key: new[key] for key in ("size", "sha256", "reason_code", "remote_message") if key in new}
        event_data: dict[str, object] = {"artifact": str(artifact.id), "artifact_status": to}
        event_data |= {**shown, **(data or {})}
        self.write([Transition(artifact.command_id, event=EventType.ARTIFACT, data=event_data)])
        return True

    def _write_group(self, group: _Group, transitions: Mapping[UUID, Transition], where: Q) -> list[UUID]:
        allowed = where
        if group.to:
            allowed &= Q(status__in=sources(COMMAND_MOVES, group.to, group.by.mover))
        if group.to in NEVER_SENT:
            allowed &= Q(dispatch=None)
        changed: list[UUID] = []
        for ids in batched(sorted(transitions), BATCH):
            rows = [transitions[id_] for id_ in ids]
            columns = _Columns(rows)
            subjects, before = _lock(ids, allowed, group.to, self.now, columns.varying)
            if not subjects:
                continue
            new = {**columns.shared, **columns.single(before), "version": F("version") + 1}
            if group.to:
                new |= {"status": group.to, "status_at": Greatest("status_at", Value(self.now))}
            Command.objects.filter(id__in=list(before)).update(**new)
            self._write_events(group, subjects, rows, transitions)
            self.accounts.update(subject.account_id for subject in subjects)
            changed += before
        if group.to in LOGGED_STATUSES or group.event in LOGGED_EVENTS:
            self.log_commands(group.event, changed, status=group.to, reason_code=group.reason_code)
        return changed

    def _write_events(
        self, group: _Group, subjects: list[Subject], rows: Sequence[Transition], transitions: Mapping[UUID, Transition]
    ) -> None:
        first = rows[0]
        alike = all(row.writes_as(first) for row in rows)
        each = None if alike else {subject.id: transitions[subject.id].event_data() for subject in subjects}
        data = first.event_data() if alike else None
        audit.write(subjects, event=group.event, by=group.by, now=self.now, data=data, each=each)

    def log_commands(self, event: EventType, ids: Sequence[UUID], **fields: object) -> None:
        """Write one line of the log about these commands, once the transaction is committed."""
        if ids:
            named = [str(id_) for id_ in ids[:IDS_PER_LOG_LINE]]
            self.log_lines.append({"outcome": event, "commands": len(ids), "ids": named, **fields})


@contextmanager
def change_statuses(*, by: By, now: datetime) -> Iterator[StatusWriter]:
    """Open a transaction for transitions. Its last statement raises the version of every account it touched."""
    with transaction.atomic():
        changes = StatusWriter(now=now, by=by)
        yield changes
        AccountVersion.objects.raise_for(changes.accounts)
    for line in changes.log_lines:
        log.info("outcome", **{name: value for name, value in line.items() if value})


class _Columns:
    """Columns that one update writes: `shared` have one value for all rows, `varying` are names of the others."""

    def __init__(self, rows: Sequence[Transition]) -> None:
        first = rows[0]
        self.shared = first.columns()
        self.varying: list[str] = []
        self._each: dict[UUID, Values] = {}
        if all(row.writes_as(first) for row in rows):
            return
        self._each = {row.command_id: row.columns() for row in rows}
        each = self._each.values()
        names = dict.fromkeys(name for columns in each for name in columns)
        self.shared = {
            name: value
            for name, value in first.columns().items()
            if all(name in columns and columns[name] == value for columns in each)
        }
        self.varying = [name for name in names if name not in self.shared]

    def single(self, before: Mapping[UUID, Values]) -> Values:
        """Return the values of the varying columns for the locked rows. A row without a value keeps its old one."""
        columns: dict[str, object] = {}
        for name in self.varying:
            after = {id_: self._each[id_].get(name, old[name]) for id_, old in before.items()}
            if all(after[id_] == old[name] for id_, old in before.items()):
                continue  # a column that nothing changes costs nothing
            first = next(iter(after.values()))
            same = all(value == first for value in after.values())
            columns[name] = first if same else CaseByPk(Command, name, after)
        return columns


def _lock(
    ids: Sequence[UUID], allowed: Q, to: Status | None, now: datetime, names: Sequence[str]
) -> tuple[list[Subject], dict[UUID, Values]]:
    """Lock the commands that may make the transition, in key order. Return their Events' subjects and these columns."""
    # `now` is when the caller began, by the caller's clock. Another worker may have written an Event since, and a
    # command's history never goes back in time.
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
