"""Timeline of a command's page: one line for each Event, in words that need no knowledge of states."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.models import Event, User
from commands.rules.events import EventType
from commands.rules.states import ARTIFACT_TONES, DONE, TONES, ArtifactStatus, Mover, Status, Tone
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.rules.wording.commands import describe_reason
from commands.rules.wording.events import AFTER_RESTORE, BY_PERSON, MATCH_UNCERTAIN, event_line
from commands.web.shared.layout import name_of


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline. `took` is the time since the line before, '' where it is under a second."""

    line: str
    at: datetime
    took: str
    reason: str
    tone: str


def build(events: Sequence[Event], viewer: User, *, is_over: bool) -> list[Moment]:
    """Build the timeline of `events`, oldest first. Only the last line has the color of its own status."""
    moments: list[Moment] = []
    before: datetime | None = None
    for number, event in enumerate(events, start=1):
        gone = event.at - before if before else timedelta()
        moments.append(
            Moment(
                line=_line(event, viewer),
                at=event.at,
                took=duration(gone) if gone >= timedelta(seconds=1) else "",
                reason=_reason(event),
                tone=_tone(event, is_last=number == len(events), is_over=is_over),
            )
        )
        before = event.at
    return moments


def _line(event: Event, viewer: User) -> str:
    """Return the line with the person, where a person made the change."""
    line = event_line(
        EventType(event.event),
        to_status=event.to_status,
        artifact_status=str(event.data.get("artifact_status", "")),
    )
    if event.mover == Mover.RESTORE:
        return AFTER_RESTORE.format(line=line)
    person = _person(event, viewer)
    return BY_PERSON.format(line=line, person=person) if person else line


def _reason(event: Event) -> str:
    data = event.data
    if event.event == EventType.ARTIFACT:
        return describe_artifact_reason(str(data.get("reason_code", "")), str(data.get("remote_message", "")))
    reason = describe_reason(
        data.get("reason_code", ""),
        data.get("remote_message", ""),
        http_status=data.get("http_status", 0),
        code=data.get("code", 0),
    )
    return f"{reason} {MATCH_UNCERTAIN}".strip() if data.get("match_uncertain") else reason


def _person(event: Event, viewer: User) -> str:
    if event.by is None:
        return ""
    return "you" if event.by_id == viewer.pk else name_of(event.by)


def _tone(event: Event, *, is_last: bool, is_over: bool) -> str:
    """Return the color of a line. A bad end keeps its color, other lines before the last are done or neutral."""
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
        return TONES[Status(event.to_status)]
    if event.event == EventType.ARTIFACT:
        return ARTIFACT_TONES[ArtifactStatus(str(event.data["artifact_status"]))]
    return Tone.WAITING if event.event == EventType.HELD else Tone.DONE


def duration(length: timedelta) -> str:
    """Format a duration, such as 0:07, 11:42 or 3:05:10."""
    seconds = max(0, int(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
