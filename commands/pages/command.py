"""One command's page: what was asked, for whom, why, what happened, and what it brought back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse

from commands import audit
from commands.access import Right
from commands.audit import EventType
from commands.causes import Cause
from commands.models import Artifact, Command, Event, User
from commands.pages import acts, rows
from commands.pages.frame import name_of
from commands.pages.people import device_url, person_url
from commands.states import ARTIFACT_WORDS, DONE, HAS_FILE, WORDS, ArtifactStatus, Mover, Status


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline. `took`: since the line before, in words; '' when it is not worth saying."""

    words: str
    who: str
    at: datetime
    took: str
    because: str
    tone: str


@dataclass(frozen=True, slots=True)
class File:
    chip: rows.Chip
    sentence: str
    filename: str
    size: int | None
    sha256: str
    stored_at: datetime | None
    deleted_remotely_at: datetime
    download_url: str
    no_download: str  # why there is no link though there is a file


@dataclass(frozen=True, slots=True)
class CommandPage:
    title: str
    chip: rows.Chip
    sentence: str
    person: str
    person_url: str
    device: str
    device_url: str
    run_url: str  # '' for one that was started elsewhere
    device_id: str
    registration_id: str
    platform: str
    is_verified: bool
    kind: str
    options: str
    purpose: str
    ticket: str
    reason: str
    asker: str
    asked_at: datetime
    remote_id: str
    remote_status: str
    likely: bool
    progress: rows.Progress | None
    took: str
    timeline: Sequence[Moment]
    file: File | None
    poll_url: str
    every: int
    causes: Sequence[str]  # why it failed, or brought a part, as far as it can be known
    acts: acts.Acts


def build(
    command: Command,
    events: Sequence[Event],
    artifact: Artifact | None,
    causes: Sequence[Cause],
    *,
    viewer: User,
    rights: frozenset[Right],
    token: str,
    now: datetime,
) -> CommandPage:
    status = Status(command.status)
    device = command.device_name or command.device_id
    is_live = status not in DONE or (artifact is not None and artifact.status not in _RESTING)
    url = reverse("command", args=[command.id])
    return CommandPage(
        title=f"{rows.kind_label(command.kind)} on {device}",
        chip=rows.chip_of(command),
        sentence=WORDS[status].sentence if not command.words else command.words,
        person=command.email,
        person_url=person_url(command.account_id, command.email),
        device=device,
        device_url=device_url(command.account_id, command.device_id),
        run_url=reverse("run", args=[command.run_id]) if command.run_id else "",
        device_id=command.device_id,
        registration_id=command.registration_id,
        platform=rows.platform_name(command.platform),
        is_verified=command.listed,
        kind=rows.kind_label(command.kind),
        options=rows.options_words(command),
        purpose=command.run.purpose if command.run else "",
        ticket=command.ticket,
        reason=command.run.reason if command.run else "",
        asker=rows.asker_of(command, viewer),
        asked_at=command.asked_at,
        remote_id=command.remote_id,
        remote_status=command.remote_status,
        likely=command.likely,
        progress=rows.progress_of(command, now),
        took=duration(command.status_at - command.asked_at) if status in DONE else "",
        timeline=_timeline(events, viewer),
        file=_file(command, artifact, rights) if artifact else None,
        poll_url=f"{url}?token={token}",
        every=3 if is_live else 30,
        causes=[*(cause.words for cause in causes), *_part(artifact)],
        acts=acts.build(command, rights, now=now),
    )


_RESTING = frozenset(ArtifactStatus) - {ArtifactStatus.WANTED, ArtifactStatus.FETCHING, ArtifactStatus.READING}


def _timeline(events: Sequence[Event], viewer: User) -> list[Moment]:
    moments: list[Moment] = []
    before: datetime | None = None
    for event in events:
        gone = event.at - before if before else timedelta()
        because = str(event.data.get("because", ""))
        if event.data.get("likely"):
            because = f"{because} Likely: another pairing would have been possible.".strip()
        moments.append(
            Moment(
                words=audit.wording(event),
                who=_who(event, viewer),
                at=event.at,
                took=duration(gone) if gone >= timedelta(seconds=1) else "",
                because=because,
                tone=_tone(event),
            )
        )
        before = event.at
    return moments


def _who(event: Event, viewer: User) -> str:
    if event.by is not None:
        return "you" if event.by_id == viewer.pk else name_of(event.by)
    return {Mover.CLOUDFLARE: "Cloudflare", Mover.RESTORE: "after a restore"}.get(Mover(event.mover), "dexportal")


def _tone(event: Event) -> str:
    if event.event == EventType.MOVED or event.to_status:
        return WORDS[Status(event.to_status)].tone
    if event.event == EventType.ARTIFACT:
        return ARTIFACT_WORDS[ArtifactStatus(str(event.data["artifact_status"]))].tone
    return "neutral"


def _part(artifact: Artifact | None) -> list[str]:
    """What a file that is here lacks."""
    return [artifact.words] if artifact and artifact.words and artifact.status in HAS_FILE else []


def _file(command: Command, artifact: Artifact, rights: frozenset[Right]) -> File:
    status = ArtifactStatus(artifact.status)
    words = ARTIFACT_WORDS[status]
    has_file, may = status in HAS_FILE, Right.SEE_CONTENTS in rights
    return File(
        chip=rows.Chip(words.label, words.tone, words.sentence),
        sentence=f"{words.sentence} {artifact.words}".strip(),
        filename=artifact.filename,
        size=artifact.size,
        sha256=artifact.sha256,
        stored_at=artifact.stored_at,
        deleted_remotely_at=artifact.deleted_remotely_at,
        download_url=reverse("download", args=[command.id]) if has_file and may else "",
        no_download=f"You don't have the right to {Right.SEE_CONTENTS.words}." if has_file and not may else "",
    )


def duration(length: timedelta) -> str:
    """Such as 0:07, 11:42 or 3:05:10."""
    seconds = max(0, int(length.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
