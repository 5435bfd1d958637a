"""What happened to a command, as its page tells it: one line a step, in words that need no knowledge of states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands import audit
from commands.audit import EventType
from commands.models import Event, User
from commands.rules.states import ARTIFACT_WORDS, DONE, WORDS, ArtifactStatus, Mover, Status, Tone
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.web.shared.layout import name_of


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline. `took`: since the line before, in words; '' when it is not worth saying."""

    words: str
    at: datetime
    took: str
    because: str
    tone: str


_MOVED: Mapping[Status, str] = {
    Status.AWAITING_APPROVAL: "Waits for approval",
    Status.WAITING_DEVICE: "Waits for the device",
    Status.QUEUED: "Back in the queue",
    Status.SENDING: "Sent to Cloudflare",
    Status.UNCERTAIN: "No clear answer from Cloudflare",
    Status.PENDING_EXEC: "Running on the device",
    Status.PENDING_UPLOAD: "Uploading",
    Status.UNCONFIRMED: "No word of it: unconfirmed",
    Status.SUCCESS: "Done",
    Status.FAILED: "Failed",
    Status.REJECTED: "Refused by Cloudflare",
    Status.DECLINED: "Declined",
    Status.WITHDRAWN: "Taken back",
    Status.EXPIRED: "Expired, never sent",
}
_FILE: Mapping[ArtifactStatus, str] = {
    ArtifactStatus.WANTED: "File not fetched yet",
    ArtifactStatus.FETCHING: "Fetching the file",
    ArtifactStatus.STORED: "Archived",
    ArtifactStatus.READING: "Reading the file",
    ArtifactStatus.READ: "Read",
    ArtifactStatus.UNREADABLE: "File could not be read",
    ArtifactStatus.TOO_LARGE: "File too large to be fetched",
    ArtifactStatus.GONE: "File gone at Cloudflare",
    ArtifactStatus.REFUSED: "File not fetched",
    ArtifactStatus.PURGED: "File deleted here",
}
_LIKELY = "Likely: another pairing would have been possible."


def build(events: Sequence[Event], viewer: User, *, is_over: bool) -> list[Moment]:
    """`events` oldest first. Only the last step is coloured by what it is: the others are behind it."""
    moments: list[Moment] = []
    before: datetime | None = None
    for number, event in enumerate(events, start=1):
        gone = event.at - before if before else timedelta()
        because = _because(event)
        moments.append(
            Moment(
                words=_words(event, viewer),
                at=event.at,
                took=duration(gone) if gone >= timedelta(seconds=1) else "",
                because=f"{because} {_LIKELY}".strip() if event.data.get("match_uncertain") else because,
                tone=_tone(event, is_last=number == len(events), is_over=is_over),
            )
        )
        before = event.at
    return moments


def _because(event: Event) -> str:
    if event.event == EventType.ARTIFACT:
        data = event.data
        return describe_artifact_reason(str(data.get("reason_code", "")), str(data.get("remote_message", "")))
    return str(event.data.get("because", ""))


def _words(event: Event, viewer: User) -> str:
    """Who is named where it was a person: everything else the portal and Cloudflare do between them."""
    words = _what(event)
    person = _person(event, viewer)
    if event.mover == Mover.RESTORE:
        return f"{words}, after a restore"
    return f"{words} by {person}" if person else words


def _what(event: Event) -> str:
    kind = EventType(event.event)
    if kind is EventType.MOVED:
        return _MOVED[Status(event.to_status)]
    if kind is EventType.ARTIFACT:
        return _FILE[ArtifactStatus(str(event.data["artifact_status"]))]
    return {EventType.REQUESTED: "Asked", EventType.DOWNLOADED: "Downloaded", EventType.HELD: "Held back"}.get(
        kind, audit.wording(event)
    )


def _person(event: Event, viewer: User) -> str:
    if event.by is None:
        return ""
    return "you" if event.by_id == viewer.pk else name_of(event.by)


def _tone(event: Event, *, is_last: bool, is_over: bool) -> str:
    """An end that was bad keeps its colour; what merely lies behind is done with, or was a detour."""
    own = _own_tone(event)
    if is_last and not is_over:
        return own
    if own in (Tone.DONE, Tone.RUNNING) or event.event == EventType.REQUESTED:
        return Tone.DONE
    return own if is_last or _is_end(event) else "neutral"


def _is_end(event: Event) -> bool:
    return bool(event.to_status) and Status(event.to_status) in DONE


def _own_tone(event: Event) -> Tone:
    if event.to_status:
        return WORDS[Status(event.to_status)].tone
    if event.event == EventType.ARTIFACT:
        return ARTIFACT_WORDS[ArtifactStatus(str(event.data["artifact_status"]))].tone
    return Tone.WAITING if event.event == EventType.HELD else Tone.DONE


def duration(length: timedelta) -> str:
    """Such as 0:07, 11:42 or 3:05:10."""
    seconds = max(0, int(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
