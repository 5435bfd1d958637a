"""The rows of every table of commands: what a person reads of one command, without a query."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from commands.access import Right
from commands.models import Artifact, Command, User
from commands.queries import causes
from commands.rules.kinds import SPECS, Kind, describe
from commands.rules.states import HAS_FILE, OPEN, TONES, ArtifactStatus, Status
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.rules.wording.causes import describe_cause
from commands.rules.wording.commands import describe_reason, summarize_reason
from commands.rules.wording.statuses import artifact_label, status_label, status_sentence
from commands.web.shared import operations
from commands.web.shared.layout import name_of
from commands.web.shared.links import device_url, person_url, ticket_url

_PLATFORMS: Mapping[str, str] = {
    "windows": "Windows",
    "mac": "macOS",
    "linux": "Linux",
    "ios": "iOS",
    "android": "Android",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A status as it is shown: a dot of this tone and a word."""

    label: str
    tone: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of something that runs: since when, and how long it takes if that is known (seconds)."""

    since: datetime
    total: int | None
    now: int  # seconds gone when the page was made


class About(StrEnum):
    """What a whole list is about, so that its rows need not say it again."""

    ANYTHING = ""
    PERSON = "person"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Name:
    """A person, a device or a ticket: a link where there is something to open."""

    words: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`who`, and `on` below it: for whom and on which device. `acts`: what a tick would be good for."""

    id: UUID
    url: str
    chip: Chip
    whom: str
    who: Name
    on: Name | None
    platform: str
    acts: str
    kind: str
    options: str
    asker: str
    requested_at: datetime
    ticket: Name
    progress: Progress | None
    result: str
    ended_at: datetime | None
    download_url: str
    size: int | None
    is_open: bool
    send_now_url: str


def platform_name(platform: str) -> str:
    return _PLATFORMS.get(platform, platform)


def kind_label(kind: str) -> str:
    """Cloudflare may list a kind that we don't know."""
    return SPECS[Kind(kind)].label if kind in set(Kind) else kind


def options_words(command: Command) -> str:
    return describe(Kind(command.kind), command.options) if command.kind in set(Kind) else ""


def chip_of(command: Command) -> Chip:
    status = Status(command.status)
    return Chip(status_label(status), TONES[status], reason_of(command) or status_sentence(status))


def reason_of(command: Command) -> str:
    """Return why the command has its status, or ''."""
    return describe_reason(command.reason_code, command.remote_message)


def asker_of(command: Command, viewer: User) -> str:
    if command.started_elsewhere or command.requested_by is None:
        return "started elsewhere"
    return "you" if command.requested_by_id == viewer.pk else name_of(command.requested_by)


def artifact_of(command: Command) -> Artifact | None:
    """Return the artifact that was selected with the command."""
    return getattr(command, "artifact", None)


def build(
    command: Command, *, viewer: User, rights: frozenset[Right], now: datetime, about: About = About.ANYTHING
) -> Row:
    artifact = artifact_of(command)
    has_file = artifact is not None and artifact.status in HAS_FILE
    status = Status(command.status)
    who, on = _whom(command, about)
    return Row(
        id=command.id,
        url=reverse("command", args=[command.id]),
        chip=chip_of(command),
        whom=operations.target_label(command),
        who=who,
        on=on,
        platform="" if about is About.DEVICE else platform_name(command.platform),
        acts=operations.allowed_actions(command) if Right.RUN in rights else "",
        kind=kind_label(command.kind),
        options=options_words(command),
        asker=asker_of(command, viewer),
        requested_at=command.requested_at,
        ticket=Name(command.ticket, ticket_url(command.account_id, command.ticket)),
        progress=progress_of(command, now),
        result=_result(command, artifact),
        ended_at=None if status in OPEN else command.status_at,
        download_url=reverse("download", args=[command.id]) if has_file and Right.SEE_CONTENTS in rights else "",
        size=artifact.size if artifact is not None and has_file else None,
        is_open=is_live(command),
        send_now_url=operations.send_now_url(command, rights),
    )


def _whom(command: Command, about: About) -> tuple[Name, Name | None]:
    person = Name(command.email or "—", person_url(command.account_id, command.email))
    device = Name(command.device_name or command.device_id, device_url(command.account_id, command.device_id))
    if about is About.ANYTHING:
        return person, device
    return (device if about is About.PERSON else person), None


def is_live(command: Command) -> bool:
    """Something about it is still expected to change: its status, or its file."""
    artifact = artifact_of(command)
    coming = {ArtifactStatus.WANTED, ArtifactStatus.FETCHING, ArtifactStatus.READING}
    return command.status in OPEN or (artifact is not None and artifact.status in coming)


def progress_of(command: Command, now: datetime) -> Progress | None:
    """Cloudflare tells no progress: what is known is how long ago it began and how long a capture takes."""
    if command.status not in (Status.SENDING, Status.PENDING_EXEC, Status.PENDING_UPLOAD):
        return None
    minutes = command.options.get("time-limit-min") if command.status == Status.PENDING_EXEC else None
    total = timedelta(minutes=minutes) / settings.TIME_SCALE if isinstance(minutes, int) else None
    gone = max(timedelta(), now - command.status_at)
    whole = None if total is None else max(1, round(total.total_seconds()))
    return Progress(command.status_at, whole, int(gone.total_seconds()))


def _result(command: Command, artifact: Artifact | None) -> str:
    status = Status(command.status)
    if status is Status.SUCCESS:
        if artifact is None or artifact.status in HAS_FILE:
            return describe_artifact_reason(artifact.reason_code, artifact.remote_message) if artifact else ""
        return _file_words(artifact)
    if status in (Status.SENDING, Status.PENDING_EXEC, Status.PENDING_UPLOAD):
        return ""
    if known := causes.of(command, beside=getattr(command, "beside", False)):
        return describe_cause(known[0])
    return (
        summarize_reason(command.reason_code, command.remote_message) or _SHORT.get(status) or status_sentence(status)
    )


_SHORT: Mapping[Status, str] = {
    Status.AWAITING_APPROVAL: "a second person has to approve it",
    Status.WAITING_DEVICE: "sent as soon as the device connects",
    Status.QUEUED: "waiting to be sent",
    Status.UNCERTAIN: "no clear response from Cloudflare; checking its list",
    Status.UNCONFIRMED: "no response; still checking",
    Status.FAILED: "no reason given",
    Status.WITHDRAWN: "withdrawn before it was sent",
    Status.EXPIRED: "expired before it could be sent",
}


def _file_words(artifact: Artifact) -> str:
    label = artifact_label(ArtifactStatus(artifact.status))
    reason = describe_artifact_reason(artifact.reason_code, artifact.remote_message)
    return f"{label}: {reason}" if reason else label.lower()
