"""Page of one command: what was requested, for whom and why, what happened, and the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from commands.access import Right
from commands.models import Artifact, Command, Event, User
from commands.rules.causes import Cause
from commands.rules.states import ARTIFACT_TONES, DONE, HAS_FILE, OPEN, ArtifactStatus, Status
from commands.rules.wording.artifacts import describe_artifact_reason
from commands.rules.wording.causes import describe_cause
from commands.rules.wording.statuses import artifact_label, artifact_sentence, status_sentence
from commands.web.command import timeline
from commands.web.command.timeline import Moment
from commands.web.shared import operations, rows
from commands.web.shared.components import poll_seconds
from commands.web.shared.links import device_url, download_name, person_url, ticket_url


@dataclass(frozen=True, slots=True)
class ResultFile:
    """File of a command.

    Attributes:
        deleted_remotely_at: when Cloudflare deletes its copy, None if it has none.
        no_download: why an existing file has no link.
    """

    chip: rows.Chip
    sentence: str
    filename: str
    size: int | None
    sha256: str
    stored_at: datetime | None
    deleted_remotely_at: datetime | None
    download_url: str
    no_download: str


@dataclass(frozen=True, slots=True)
class CommandPage:
    """Command page.

    Attributes:
        run_url: '' for a command that was started elsewhere.
        no_file: why there is no file.
        causes: probable reasons for a failure or a partial result.
    """

    id: UUID
    url: str
    title: str
    chip: rows.Chip
    sentence: str
    person: str
    person_url: str
    device: str
    device_url: str
    run_url: str
    device_id: str
    registration_id: str
    platform: str
    is_verified: bool
    kind: str
    options: str
    purpose: str
    ticket: str
    ticket_url: str
    reason: str
    requester: str
    requested_at: datetime
    remote_id: str
    remote_status: str
    match_uncertain: bool
    progress: rows.Progress | None
    took: str
    timeline: Sequence[Moment]
    file: ResultFile | None
    no_file: str
    poll_url: str
    poll_seconds: int
    causes: Sequence[str]
    operations: operations.CommandOperations


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
    device = operations.device_label(command)
    is_live = status not in DONE or (artifact is not None and artifact.status not in _SETTLED)
    url = reverse("command", args=[command.id])
    return CommandPage(
        id=command.id,
        url=url,
        title=f"{rows.kind_label(command.kind)} on {device}",
        chip=rows.chip_of(command),
        sentence=rows.reason_of(command) or status_sentence(status),
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
        options=rows.options_label(command),
        purpose=command.run.purpose if command.run else "",
        ticket=command.ticket,
        ticket_url=ticket_url(command.account_id, command.ticket),
        reason=command.run.reason if command.run else "",
        requester=rows.requester_of(command, viewer),
        requested_at=command.requested_at,
        remote_id=command.remote_id,
        remote_status=command.remote_status,
        match_uncertain=command.match_uncertain,
        progress=rows.progress_of(command, now),
        took=timeline.duration(command.status_at - command.requested_at) if status in DONE else "",
        timeline=timeline.build(events, viewer, is_over=not is_live),
        file=_file(command, artifact, rights, now) if artifact else None,
        no_file=_no_file(status),
        poll_url=f"{url}?token={token}",
        poll_seconds=poll_seconds(is_live=is_live),
        causes=[*map(describe_cause, causes), *_part(artifact)],
        operations=operations.build(command, rights, now=now),
    )


_SETTLED = frozenset(ArtifactStatus) - {ArtifactStatus.WANTED, ArtifactStatus.FETCHING, ArtifactStatus.READING}


def _no_file(status: Status) -> str:
    """Return why there is no file, or that it may still come."""
    if status in OPEN:
        return "No file yet."
    return _NO_FILE.get(status, "No file: it was never sent.")


_NO_FILE: Mapping[Status, str] = {
    Status.SUCCESS: "Results of commands started elsewhere aren't downloaded.",
    Status.FAILED: "No file: the command failed.",
    Status.REJECTED: "No file: Cloudflare refused it.",
    Status.UNCONFIRMED: "No file: the outcome is unknown.",
}


def _part(artifact: Artifact | None) -> list[str]:
    """Return what a stored file lacks."""
    is_partial = artifact and artifact.reason_code and artifact.status in HAS_FILE
    return [_reason_of(artifact)] if artifact and is_partial else []


def _reason_of(artifact: Artifact) -> str:
    return describe_artifact_reason(artifact.reason_code, artifact.remote_message)


def _file(command: Command, artifact: Artifact, rights: frozenset[Right], now: datetime) -> ResultFile:
    status = ArtifactStatus(artifact.status)
    is_there = status is not ArtifactStatus.GONE and artifact.deleted_remotely_at > now
    has_file, may = status in HAS_FILE, Right.SEE_CONTENTS in rights
    return ResultFile(
        chip=rows.Chip(artifact_label(status), ARTIFACT_TONES[status], artifact_sentence(status)),
        sentence=f"{artifact_sentence(status)} {_reason_of(artifact)}".strip(),
        filename=download_name(command),
        size=artifact.size,
        sha256=artifact.sha256,
        stored_at=artifact.stored_at,
        deleted_remotely_at=artifact.deleted_remotely_at if is_there else None,
        download_url=reverse("download", args=[command.id]) if has_file and may else "",
        no_download=f"You don't have the right to {Right.SEE_CONTENTS.phrase}." if has_file and not may else "",
    )
