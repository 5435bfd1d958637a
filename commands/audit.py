"""Creation of Events, and the keys that their data may have.

An Event is written in the transaction of the change that it reports, and is never changed. `data` has allowed keys
only, so that no secret and no content reaches the record. It holds codes and values, never a sentence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from commands.models import Command, Event, User
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.states import Mover

_REASON = frozenset({"reason_code", "remote_message", "http_status", "code"})  # a code and its values, never a sentence

ALLOWED: Mapping[EventType, frozenset[str]] = {
    EventType.REQUESTED: frozenset({"purpose", "ticket", "reason"}),
    EventType.MOVED: _REASON | {"remote_id", "dispatch"},
    EventType.ADOPTED: frozenset({"remote_id", "match_uncertain"}),
    EventType.ATTACHED: frozenset({"remote_id", "match_uncertain"}),
    EventType.DOUBTED: frozenset({"remote_id"}),
    EventType.LATE_ANSWER: frozenset({"remote_id", "dispatch"}),
    EventType.IMPORTED: frozenset({"remote_id"}),
    EventType.MERGED: frozenset({"remote_id"}),
    EventType.ARTIFACT: _REASON | {"artifact", "artifact_status", "size", "sha256"},
    EventType.DOWNLOADED: frozenset({"artifact", "size", "sha256"}),
    EventType.HELD: frozenset({"reason_code"}),
    EventType.SEND_NOW: frozenset(),
}


@dataclass(frozen=True, slots=True)
class By:
    """Author of a change: the mover of `states.py`, and the person if it is one."""

    mover: Mover
    person: User | None = None


PORTAL = By(Mover.PORTAL)
CLOUDFLARE = By(Mover.CLOUDFLARE)


def by_person(person: User) -> By:
    return By(Mover.PERSON, person)


@dataclass(frozen=True, slots=True)
class Subject:
    """Command that an Event is about, with the version that the Event takes."""

    id: UUID
    account_id: UUID
    run_id: UUID | None
    version: int
    from_status: str = ""
    to_status: str = ""
    at: datetime | None = None  # if it differs from the time of the change


def write(
    subjects: Iterable[Subject],
    *,
    event: EventType,
    by: By,
    now: datetime,
    data: Mapping[str, object] | None = None,
    each: Mapping[UUID, Mapping[str, object]] | None = None,
) -> None:
    """Write one Event for each subject, in the transaction of the change. `each` adds data for single subjects."""
    person_id = by.person.pk if by.person else None
    shared = _allowed(event, data or {})
    Event.objects.bulk_create(
        [
            Event(
                id=new_id(subject.at or now),
                at=subject.at or now,
                event=event,
                account_id=subject.account_id,
                run_id=subject.run_id,
                command_id=subject.id,
                version=subject.version,
                from_status=subject.from_status,
                to_status=subject.to_status,
                mover=by.mover,
                by_id=person_id,
                data=_allowed(event, {**(data or {}), **each[subject.id]}) if each and subject.id in each else shared,
            )
            for subject in subjects
        ],
        batch_size=500,
    )


def record(command: Command, *, event: EventType, by: By, now: datetime, data: Mapping[str, object]) -> None:
    """Write one Event of a command whose status stays. It takes the command's next version."""
    with transaction.atomic():
        Command.objects.filter(id=command.id).update(version=F("version") + 1)
        version = Command.objects.values_list("version", flat=True).get(id=command.id)
        subject = Subject(command.id, command.account_id, command.run_id, version)
        write([subject], event=event, by=by, now=now, data=data)


def _allowed(event: EventType, data: Mapping[str, object]) -> dict[str, object]:
    if strange := set(data) - ALLOWED[event]:
        raise ValueError(f"an Event '{event}' does not carry {', '.join(sorted(strange))}")
    return {key: value for key, value in data.items() if value not in ("", None)}
