"""Rows of every list of commands: what a person reads about one command. No function runs a query."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from commands.access import Right
from commands.models import Artifact, Command, User
from commands.queries import causes
from commands.queries.commands import CommandRow
from commands.rules.kinds import SPECS, Kind
from commands.rules.states import HAS_FILE, OPEN, TONES, ArtifactStatus, Status
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.rules.wording.causes import describe_cause
from commands.rules.wording.commands import describe_reason, summarize_reason
from commands.rules.wording.options import describe_options
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
    """Status as it is shown: a dot of this tone and a word."""

    label: str
    tone: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of something that runs.

    Attributes:
        total: seconds that it takes, None if unknown.
        elapsed: seconds since the start, when the page was made.
    """

    since: datetime
    total: int | None
    elapsed: int


class ListSubject(StrEnum):
    """Person or device that a whole list is about. Its rows don't repeat it."""

    ANY = ""
    PERSON = "person"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class TextLink:
    """Person, device or ticket. `url` is '' where there is nothing to open."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One command in a list.

    Attributes:
        target: device and person, for labels.
        who: person, or the device in a list about a person.
        device: second line of the column, None where the list is about a person or a device.
        operations: allowed operations, separated by spaces.
        is_live: the status or the file is still expected to change.
    """

    id: UUID
    url: str
    chip: Chip
    target: str
    who: TextLink
    device: TextLink | None
    platform: str
    operations: str
    kind: str
    options: str
    requester: str
    requested_at: datetime
    ticket: TextLink
    progress: Progress | None
    result: str
    ended_at: datetime | None
    download_url: str
    size: int | None
    is_live: bool
    send_now_url: str


def platform_name(platform: str) -> str:
    return _PLATFORMS.get(platform, platform)


def kind_label(kind: str) -> str:
    """Return the label of a kind. Cloudflare may list a kind that we don't know."""
    return SPECS[Kind(kind)].label if kind in set(Kind) else kind


def options_label(command: Command) -> str:
    """Return the options in words, '' for a kind that we don't know."""
    return describe_options(Kind(command.kind), command.options) if command.kind in set(Kind) else ""


def chip_of(command: Command) -> Chip:
    status = Status(command.status)
    return Chip(status_label(status), TONES[status], reason_of(command) or status_sentence(status))


def reason_of(command: Command) -> str:
    """Return why the command has its status, or ''."""
    return describe_reason(command.reason_code, command.remote_message)


def requester_of(command: Command, viewer: User) -> str:
    if command.started_elsewhere or command.requested_by is None:
        return "started elsewhere"
    return "you" if command.requested_by_id == viewer.pk else name_of(command.requested_by)


def build(
    row: CommandRow,
    *,
    viewer: User,
    rights: Collection[Right],
    now: datetime,
    subject: ListSubject = ListSubject.ANY,
) -> TableRow:
    command, artifact = row.command, row.artifact
    has_file = artifact is not None and artifact.status in HAS_FILE
    status = Status(command.status)
    who, device = _who(command, subject)
    return TableRow(
        id=command.id,
        url=reverse("command", args=[command.id]),
        chip=chip_of(command),
        target=operations.target_label(command),
        who=who,
        device=device,
        platform="" if subject is ListSubject.DEVICE else platform_name(command.platform),
        operations=operations.allowed_operations(command) if Right.RUN in rights else "",
        kind=kind_label(command.kind),
        options=options_label(command),
        requester=requester_of(command, viewer),
        requested_at=command.requested_at,
        ticket=TextLink(command.ticket, ticket_url(command.account_id, command.ticket)),
        progress=progress_of(command, now),
        result=_result(row),
        ended_at=None if status in OPEN else command.status_at,
        download_url=reverse("download", args=[command.id]) if has_file and Right.SEE_CONTENTS in rights else "",
        size=artifact.size if artifact is not None and has_file else None,
        is_live=_is_live(command, artifact),
        send_now_url=operations.send_now_url(command, rights),
    )


def _who(command: Command, subject: ListSubject) -> tuple[TextLink, TextLink | None]:
    person = TextLink(command.email or "—", person_url(command.account_id, command.email))
    device = TextLink(operations.device_label(command), device_url(command.account_id, command.device_id))
    if subject is ListSubject.ANY:
        return person, device
    return (device if subject is ListSubject.PERSON else person), None


def _is_live(command: Command, artifact: Artifact | None) -> bool:
    coming = {ArtifactStatus.WANTED, ArtifactStatus.FETCHING, ArtifactStatus.READING}
    return command.status in OPEN or (artifact is not None and artifact.status in coming)


def progress_of(command: Command, now: datetime) -> Progress | None:
    """Return how long a command has been running, and how long a capture takes. Cloudflare reports no progress."""
    if command.status not in (Status.SENDING, Status.PENDING_EXEC, Status.PENDING_UPLOAD):
        return None
    minutes = command.options.get("time-limit-min") if command.status == Status.PENDING_EXEC else None
    total = timedelta(minutes=minutes) / settings.TIME_SCALE if isinstance(minutes, int) else None
    elapsed = max(timedelta(), now - command.status_at)
    seconds = None if total is None else max(1, round(total.total_seconds()))
    return Progress(command.status_at, seconds, int(elapsed.total_seconds()))


def _result(row: CommandRow) -> str:
    command, artifact = row.command, row.artifact
    status = Status(command.status)
    if status is Status.SUCCESS:
        if artifact is None or artifact.status in HAS_FILE:
            return describe_artifact_reason(artifact.reason_code, artifact.remote_message) if artifact else ""
        return _describe_file(artifact)
    if status in (Status.SENDING, Status.PENDING_EXEC, Status.PENDING_UPLOAD):
        return ""
    if known := causes.of(command, beside=row.captures_beside):
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


def _describe_file(artifact: Artifact) -> str:
    label = artifact_label(ArtifactStatus(artifact.status))
    reason = describe_artifact_reason(artifact.reason_code, artifact.remote_message)
    return f"{label}: {reason}" if reason else label[0].lower() + label[1:]  # keeps the capital of Cloudflare
