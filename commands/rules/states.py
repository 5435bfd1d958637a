"""Statuses of commands and artifacts, and the tables of who may move which status where.

Pure: no model, no clock, no query. The database's constraints, the drawing in docs/states.md and
`actions/record/transitions.py` are made from these tables.
"""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Status of a command. Cloudflare's four keep their names."""

    AWAITING_APPROVAL = "awaiting_approval"
    WAITING_DEVICE = "waiting_device"
    QUEUED = "queued"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    PENDING_EXEC = "PENDING_EXEC"
    PENDING_UPLOAD = "PENDING_UPLOAD"
    UNCONFIRMED = "unconfirmed"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    REJECTED = "rejected"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ArtifactStatus(StrEnum):
    WANTED = "wanted"
    FETCHING = "fetching"
    STORED = "stored"
    READING = "reading"
    READ = "read"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    GONE = "gone"
    REFUSED = "refused"
    PURGED = "purged"


class Mover(StrEnum):
    """Kind of author of a move."""

    PERSON = "person"  # a user with the right to run
    APPROVER = "approver"  # the second person that a policy requires
    PORTAL = "portal"  # our own workers: claims, leases and deadlines
    CLOUDFLARE = "cloudflare"  # an answer or a listing of Cloudflare
    RESTORE = "restore"  # the operator, after a database was restored


UNSENT = frozenset({Status.AWAITING_APPROVAL, Status.WAITING_DEVICE, Status.QUEUED})
IN_FLIGHT = frozenset({Status.SENDING, Status.UNCERTAIN, Status.PENDING_EXEC, Status.PENDING_UPLOAD})
DONE = frozenset(Status) - UNSENT - IN_FLIGHT
OPEN = UNSENT | IN_FLIGHT

REMOTE = (Status.PENDING_EXEC, Status.PENDING_UPLOAD, Status.SUCCESS, Status.FAILED)
"""Cloudflare's own statuses, in their order. The last two are final."""

FINAL_REMOTE = frozenset({Status.SUCCESS, Status.FAILED})

type Moves[S] = Mapping[tuple[S, S], frozenset[Mover]]


def _moves[S](*rows: tuple[S, tuple[S, ...], tuple[Mover, ...]]) -> Moves[S]:
    """Expand rows of (from, alternatives of to, movers) into one entry for each pair."""
    table: dict[tuple[S, S], frozenset[Mover]] = {}
    for source, targets, movers in rows:
        for target in targets:
            table[source, target] = table.get((source, target), frozenset()) | frozenset(movers)
    return table


COMMAND_MOVES: Moves[Status] = _moves(
    (Status.AWAITING_APPROVAL, (Status.QUEUED, Status.WAITING_DEVICE, Status.DECLINED), (Mover.APPROVER,)),
    (Status.AWAITING_APPROVAL, (Status.WITHDRAWN,), (Mover.PERSON,)),
    (Status.AWAITING_APPROVAL, (Status.EXPIRED,), (Mover.PORTAL,)),
    (Status.WAITING_DEVICE, (Status.QUEUED,), (Mover.PORTAL, Mover.PERSON)),
    (Status.WAITING_DEVICE, (Status.WITHDRAWN,), (Mover.PERSON,)),
    (Status.WAITING_DEVICE, (Status.EXPIRED,), (Mover.PORTAL,)),
    (Status.QUEUED, (Status.SENDING, Status.EXPIRED), (Mover.PORTAL,)),
    (Status.QUEUED, (Status.WAITING_DEVICE,), (Mover.PORTAL, Mover.PERSON)),
    (Status.QUEUED, (Status.WITHDRAWN,), (Mover.PERSON,)),
    (Status.QUEUED, (Status.UNCERTAIN,), (Mover.RESTORE,)),
    (Status.SENDING, (*REMOTE, Status.REJECTED, Status.QUEUED), (Mover.CLOUDFLARE,)),
    (Status.SENDING, (Status.QUEUED, Status.UNCERTAIN), (Mover.PORTAL,)),
    (Status.SENDING, (Status.UNCERTAIN,), (Mover.RESTORE,)),
    (Status.UNCERTAIN, (*REMOTE, Status.REJECTED, Status.QUEUED), (Mover.CLOUDFLARE,)),
    (Status.UNCERTAIN, (Status.QUEUED, Status.REJECTED, Status.UNCONFIRMED), (Mover.PORTAL,)),
    (Status.PENDING_EXEC, (Status.PENDING_UPLOAD, *FINAL_REMOTE), (Mover.CLOUDFLARE,)),
    (Status.PENDING_EXEC, (Status.UNCONFIRMED,), (Mover.PORTAL,)),
    (Status.PENDING_UPLOAD, tuple(FINAL_REMOTE), (Mover.CLOUDFLARE,)),
    (Status.PENDING_UPLOAD, (Status.UNCONFIRMED,), (Mover.PORTAL,)),
    (Status.UNCONFIRMED, tuple(FINAL_REMOTE), (Mover.CLOUDFLARE,)),
)

_HOLDS_A_FILE = (
    ArtifactStatus.STORED,
    ArtifactStatus.READING,
    ArtifactStatus.READ,
    ArtifactStatus.UNREADABLE,
)

ARTIFACT_MOVES: Moves[ArtifactStatus] = _moves(
    (ArtifactStatus.WANTED, (ArtifactStatus.FETCHING, ArtifactStatus.REFUSED), (Mover.PORTAL,)),
    (ArtifactStatus.FETCHING, (ArtifactStatus.STORED, ArtifactStatus.WANTED), (Mover.PORTAL,)),
    (
        ArtifactStatus.FETCHING,
        (ArtifactStatus.TOO_LARGE, ArtifactStatus.GONE, ArtifactStatus.REFUSED),
        (Mover.PORTAL,),
    ),
    (ArtifactStatus.STORED, (ArtifactStatus.READING,), (Mover.PORTAL,)),
    (
        ArtifactStatus.READING,
        (ArtifactStatus.READ, ArtifactStatus.STORED, ArtifactStatus.UNREADABLE),
        (Mover.PORTAL,),
    ),
    *((source, (ArtifactStatus.PURGED,), (Mover.PORTAL, Mover.PERSON)) for source in _HOLDS_A_FILE),
)

HAS_FILE = frozenset(_HOLDS_A_FILE)
TO_FETCH = (ArtifactStatus.WANTED, ArtifactStatus.FETCHING)


def sources[S](moves: Moves[S], to: S, by: Mover) -> frozenset[S]:
    """Return the statuses from which this mover may move to that one."""
    return frozenset(source for (source, target), movers in moves.items() if target == to and by in movers)


def rank(status: Status) -> int:
    """Return how far a status is along Cloudflare's own statuses: 0 before them, then 1 to 3. Moves only raise it."""
    if status in FINAL_REMOTE:
        return 3
    return {Status.PENDING_EXEC: 1, Status.PENDING_UPLOAD: 2}.get(status, 0)


class Tone(StrEnum):
    """Color of a status. Pages always show a word beside it."""

    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    WITHDRAWN = "withdrawn"


TONES: Mapping[Status, Tone] = {
    Status.AWAITING_APPROVAL: Tone.WAITING,
    Status.WAITING_DEVICE: Tone.WAITING,
    Status.QUEUED: Tone.WAITING,
    Status.SENDING: Tone.RUNNING,
    Status.UNCERTAIN: Tone.UNCERTAIN,
    Status.PENDING_EXEC: Tone.RUNNING,
    Status.PENDING_UPLOAD: Tone.RUNNING,
    Status.UNCONFIRMED: Tone.UNCERTAIN,
    Status.SUCCESS: Tone.DONE,
    Status.FAILED: Tone.FAILED,
    Status.REJECTED: Tone.FAILED,
    Status.DECLINED: Tone.FAILED,
    Status.WITHDRAWN: Tone.WITHDRAWN,
    Status.EXPIRED: Tone.WITHDRAWN,
}
ARTIFACT_TONES: Mapping[ArtifactStatus, Tone] = {
    ArtifactStatus.WANTED: Tone.WAITING,
    ArtifactStatus.FETCHING: Tone.RUNNING,
    ArtifactStatus.STORED: Tone.DONE,
    ArtifactStatus.READING: Tone.RUNNING,
    ArtifactStatus.READ: Tone.DONE,
    ArtifactStatus.UNREADABLE: Tone.FAILED,
    ArtifactStatus.TOO_LARGE: Tone.FAILED,
    ArtifactStatus.GONE: Tone.FAILED,
    ArtifactStatus.REFUSED: Tone.FAILED,
    ArtifactStatus.PURGED: Tone.WITHDRAWN,
}
