"""Types of Events. The sentences are in `wording.events`."""

from enum import StrEnum


class EventType(StrEnum):
    """Type stored with an Event. A type is never renamed, because Events never change."""

    REQUESTED = "requested"
    MOVED = "moved"
    ADOPTED = "adopted"
    ATTACHED = "attached"
    DOUBTED = "doubted"
    LATE_ANSWER = "late_answer"
    IMPORTED = "imported"
    MERGED = "merged"
    ARTIFACT = "artifact"
    DOWNLOADED = "downloaded"
    HELD = "held"
    SEND_NOW = "send_now"
