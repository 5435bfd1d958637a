"""What Cloudflare said about commands of ours, in an answer or a listing: ids attached, statuses moved, files wanted.

Owns the step from "this command is now PENDING_UPLOAD there" to our record, for deliver and sync alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from commands.actions.record.transitions import StatusWriter
from commands.audit import CLOUDFLARE
from commands.models import Artifact, Command
from commands.rules import kinds
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.states import IN_FLIGHT, REMOTE, Status

MAX_ID, MAX_EMAIL, MAX_WORD = 64, 254, 40  # what the columns hold; no id or word of Cloudflare's is as long


def has_room_for(*ids: str) -> bool:
    """A shortened id is a wrong one: what has a longer one is nobody's."""
    return all(len(id_) <= MAX_ID for id_ in ids)


def kept_word(status: str) -> str:
    """Cloudflare's word for a status as we keep it."""
    return status[:MAX_WORD]


@dataclass(frozen=True, slots=True)
class RemoteUpdate:
    """One command of ours as Cloudflare names it. `status`: where to move it; None moves nothing."""

    command_id: UUID
    remote_id: str
    status: Status | None
    raw_status: str
    created_at: datetime | None = None
    completed_at: datetime | None = None
    filename: str = ""
    match_uncertain: bool = False
    event: EventType = EventType.MOVED

    def values(self) -> dict[str, object]:
        """The columns that follow from it; what Cloudflare did not say is left as it is."""
        said: dict[str, object] = {"remote_id": self.remote_id, "remote_status": kept_word(self.raw_status)}
        if self.created_at:
            said["remote_created_at"] = self.created_at
        if self.completed_at:
            said["remote_completed_at"] = self.completed_at
        return said | ({"match_uncertain": True} if self.match_uncertain else {})


def remote_status(raw: str) -> Status | None:
    """Ours for Cloudflare's word; None for one that we don't know."""
    return Status(raw) if raw in REMOTE else None


def apply_remote_updates(changes: StatusWriter, heard: Sequence[RemoteUpdate], *, where: Q | None = None) -> set[UUID]:
    """Move and attach; returns the commands that changed. One without a status to move to gets its id attached."""
    changed: set[UUID] = set()

    def key(one: RemoteUpdate) -> tuple[str, str]:
        return one.event, one.status or ""

    for (event, status), group in groupby(sorted(heard, key=key), key=key):
        ones = list(group)
        each = {one.command_id: one.values() for one in ones}
        each_data: dict[UUID, dict[str, object]] = {
            one.command_id: {"remote_id": one.remote_id, **({"match_uncertain": True} if one.match_uncertain else {})}
            for one in ones
        }
        if status:
            done = changes.move(
                each,
                to=Status(status),
                by=CLOUDFLARE,
                where=where,
                each=_with_deadlines(changes, each, Status(status)),
                event=EventType(event),
                each_data=each_data,
            )
        else:
            done = changes.note(each, event=EventType.ATTACHED, where=where, each=each, each_data=each_data)
        changed.update(done)
    want_artifacts(changes, [one for one in heard if one.command_id in changed and one.status is Status.SUCCESS])
    return changed


def _with_deadlines(
    changes: StatusWriter, each: dict[UUID, dict[str, object]], status: Status
) -> dict[UUID, dict[str, object]]:
    """A command that begins to run at Cloudflare gets the time by which its end must have been heard of."""
    if status not in IN_FLIGHT:
        return each
    rows = Command.objects.filter(id__in=list(each), deadline_at=None).values_list("id", "kind", "options")
    for id_, kind, options in rows:
        each[id_]["deadline_at"] = deadline(Kind(kind), options, changes.now)
    return each


def deadline(kind: Kind, options: kinds.Options, start: datetime) -> datetime:
    return start + kinds.deadline(kind, options) / settings.TIME_SCALE


def want_artifacts(changes: StatusWriter, done: Sequence[RemoteUpdate]) -> None:
    """A row for each file that is to be fetched: those of our own commands. Cloudflare keeps one for 7 days.

    Those begin between the POST and now: a date outside of that is a wrong one, and must not move the file's end.
    """
    ids = [one.command_id for one in done]
    sent_at = dict(Command.objects.ours().filter(id__in=ids).values_list("id", "dispatch__claimed_at"))
    Artifact.objects.bulk_create(
        [
            Artifact(
                id=new_id(changes.now),
                command_id=one.command_id,
                status_at=changes.now,
                filename=one.filename or f"{one.remote_id}.zip",
                deleted_remotely_at=_ended_at(one, sent_at[one.command_id], changes.now) + settings.ARTIFACT_RETENTION,
            )
            for one in done
            if one.command_id in sent_at
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def _ended_at(one: RemoteUpdate, sent_at: datetime | None, now: datetime) -> datetime:
    told = min(one.completed_at or now, now)
    return max(told, sent_at) if sent_at else told


def merge_imports(changes: StatusWriter, account_id: UUID, owners: dict[str, UUID]) -> dict[str, Status]:
    """Rows taken for "started elsewhere" whose ids ({remote id: our command}) are ours give them up.

    Returns how far Cloudflare had told of each of them: our command goes there at once.
    """
    rows = list(
        Command.objects.select_for_update(of=("self",))
        .filter(account_id=account_id, remote_id__in=list(owners), started_elsewhere=True)
        .order_by("id")
    )
    if rows:
        changes.note(
            [row.id for row in rows],
            event=EventType.MERGED,
            values={"remote_id": ""},
            each={row.id: {"merged_into_id": owners[row.remote_id]} for row in rows},
            each_data={row.id: {"remote_id": row.remote_id} for row in rows},
        )
    return {row.remote_id: Status(row.status) for row in rows if row.status in REMOTE}
