"""Cloudflare's news about our commands, from an answer or a listing: attach ids, move statuses, request files.

A module of its own because both `deliver` and the listing apply such news.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from commands.actions.record.transitions import StatusWriter, Transition, Values
from commands.audit import CLOUDFLARE
from commands.models import Artifact, Command
from commands.rules import kinds
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.matching import Advance, RemoteUpdate
from commands.rules.states import IN_FLIGHT, REMOTE, Status

# Characters that the columns hold. No id or status of Cloudflare's is longer.
MAX_ID, MAX_EMAIL, MAX_REMOTE_STATUS = 64, 254, 40


def has_room_for(*ids: str) -> bool:
    """Return whether the columns hold these ids. A shortened id would be a wrong one."""
    return all(len(id_) <= MAX_ID for id_ in ids)


def cut_remote_status(status: str) -> str:
    """Cut Cloudflare's word for a status to the length of its column."""
    return status[:MAX_REMOTE_STATUS]


def columns_of(update: RemoteUpdate) -> dict[str, object]:
    """Return the columns that follow from an update. What Cloudflare left out keeps its old value."""
    row = update.row
    columns: dict[str, object] = {"remote_id": row.id, "remote_status": cut_remote_status(row.status)}
    if row.created_date:
        columns["remote_created_at"] = row.created_date
    if row.completed_date:
        columns["remote_completed_at"] = row.completed_date
    if update.match_uncertain:
        columns["match_uncertain"] = True
    return columns


def remote_status(raw: str) -> Status | None:
    """Return our status for Cloudflare's word, or None for an unknown word."""
    return Status(raw) if raw in REMOTE else None


def apply_remote_updates(
    changes: StatusWriter, updates: Sequence[RemoteUpdate], *, where: Q | None = None
) -> set[UUID]:
    """Move commands and attach their ids. Return the commands that changed."""
    deadlines = _deadlines(updates, changes.now)
    transitions = [
        Transition(
            update.ours_id,
            update.status,
            values=columns_of(update) | deadlines.get(update.ours_id, {}),
            data=_event_data(update),
            event=_event_type(update),
            by=CLOUDFLARE,
        )
        for update in updates
    ]
    changed = set(changes.write(transitions, where=where))
    done = [one for one in updates if one.ours_id in changed and one.status is Status.SUCCESS]
    want_artifacts(changes, done)
    return changed


def _event_type(update: RemoteUpdate) -> EventType:
    if isinstance(update, Advance):
        return EventType.MOVED
    return EventType.ADOPTED if update.status else EventType.ATTACHED


def _event_data(update: RemoteUpdate) -> Values:
    return {"remote_id": update.row.id, **({"match_uncertain": True} if update.match_uncertain else {})}


def _deadlines(updates: Sequence[RemoteUpdate], now: datetime) -> dict[UUID, dict[str, object]]:
    """Return the deadlines of commands that begin to run at Cloudflare, as columns."""
    ids = [update.ours_id for update in updates if update.status in IN_FLIGHT]
    if not ids:
        return {}
    rows = Command.objects.filter(id__in=ids, deadline_at=None).values_list("id", "kind", "options")
    return {id_: {"deadline_at": deadline(Kind(kind), options, now)} for id_, kind, options in rows}


def deadline(kind: Kind, options: kinds.Options, start: datetime) -> datetime:
    """Return the time by which Cloudflare must have reported the end of a command."""
    return start + kinds.deadline(kind, options) / settings.TIME_SCALE


def want_artifacts(changes: StatusWriter, done: Sequence[RemoteUpdate]) -> None:
    """Create an artifact row for each file of our own commands. Cloudflare keeps a file for 7 days."""
    ids = [update.ours_id for update in done]
    sent_at = dict(Command.objects.ours().filter(id__in=ids).values_list("id", "dispatch__claimed_at"))
    Artifact.objects.bulk_create(
        [
            Artifact(
                id=new_id(changes.now),
                command_id=update.ours_id,
                status_at=changes.now,
                filename=update.row.filename or f"{update.row.id}.zip",
                deleted_remotely_at=(
                    _completed_at(update, sent_at[update.ours_id], changes.now) + settings.ARTIFACT_RETENTION
                ),
            )
            for update in done
            if update.ours_id in sent_at
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def _completed_at(update: RemoteUpdate, sent_at: datetime | None, now: datetime) -> datetime:
    """Return when the command ended: between its POST and now. A date outside of that is a wrong one."""
    completed_at = min(update.row.completed_date or now, now)
    return max(completed_at, sent_at) if sent_at else completed_at


def merge_imports(changes: StatusWriter, account_id: UUID, owners: dict[str, UUID]) -> dict[str, Status]:
    """Merge imported rows ("started elsewhere") into our commands, whose ids they have turned out to be.

    `owners` has our command for each remote id. Returns the last status that Cloudflare reported for each of the rows,
    because our command goes there at once.
    """
    rows = list(
        Command.objects.select_for_update(of=("self",))
        .filter(account_id=account_id, remote_id__in=list(owners), started_elsewhere=True)
        .order_by("id")
    )
    changes.write(
        Transition(
            row.id,
            event=EventType.MERGED,
            values={"remote_id": "", "merged_into_id": owners[row.remote_id]},
            data={"remote_id": row.remote_id},
        )
        for row in rows
    )
    return {row.remote_id: Status(row.status) for row in rows if row.status in REMOTE}
