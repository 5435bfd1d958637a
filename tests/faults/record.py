"""The portal's record and the simulator's ledger as `compare.py` wants them. Imported only where Django is set up."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import storages
from django.utils.dateparse import parse_datetime

from commands.models import Artifact, Command, Event
from commands.rules.states import HAS_FILE, ArtifactStatus, Status
from tests.faults.asking import options_text
from tests.faults.compare import Entry, Line, Recorded, Tag
from tests.faults.control import Control
from tests.faults.files import Filed

SKEW = settings.ADOPT_BEFORE  # what rows' dates and clocks may be off, both ways


def entries(ledger: Iterable[Mapping[str, Any]]) -> list[Entry]:
    return [
        Entry(
            id=one["id"],
            tag=Tag(one["account"], one["device_id"], one["kind"], options_text(one["args"])),
            created_at=_time(one["created_at"]),
            foreign=one["foreign"],
            status=one["status"],
            fetched=tuple(tuple(faults) for faults in one["fetched"]),
        )
        for one in ledger
    ]


def _time(text: str) -> datetime:
    found = parse_datetime(text)
    assert found is not None
    return found


def record() -> list[Recorded]:
    """Every command, of ours and others', with its history."""
    histories: dict[UUID, list[Line]] = defaultdict(list)
    events = Event.objects.exclude(command=None).values_list(
        "command_id", "version", "at", "event", "mover", "from_status", "to_status"
    )
    events = events.order_by("command_id", "version")  # a table in which transactions failed has no order of its own
    for command_id, version, at, event, mover, source, target in events.iterator():
        assert command_id is not None
        assert version is not None
        histories[command_id].append(Line(version, at, event, mover, source, target))
    files = {artifact.command_id: _filed(artifact) for artifact in Artifact.objects.iterator()}
    commands = Command.objects.select_related("account", "dispatch").order_by("id")
    return [_recorded(command, histories[command.id], files.get(command.id)) for command in commands.iterator()]


def _filed(artifact: Artifact) -> Filed:
    storage, name = storages["artifacts"], artifact.storage_name
    is_there = artifact.status in HAS_FILE and storage.exists(name) and storage.size(name) == artifact.size
    return Filed(ArtifactStatus(artifact.status), artifact.status_at, artifact.reason_code, is_there)


def _recorded(command: Command, history: list[Line], file: Filed | None) -> Recorded:
    tag = Tag(command.account.cloudflare_id, command.device_id, command.kind, options_text(command.options))
    sent = command.dispatch
    return Recorded(
        id=str(command.id),
        tag=tag,
        status=Status(command.status),
        version=command.version,
        remote_id=command.remote_id,
        likely=command.match_uncertain,
        started_elsewhere=command.started_elsewhere,
        is_merged=command.merged_into_id is not None,
        since=sent.claimed_at - settings.ADOPT_BEFORE - SKEW if sent else None,
        until=(sent.ended_at or sent.lease_until) + settings.ADOPT_AFTER + SKEW if sent else None,
        requested_at=command.requested_at,
        claimed_at=sent.claimed_at if sent else None,
        unlisted=command.missed_listings,
        closes_at=sent.lease_until + settings.SETTLE_WINDOW_MAX if sent else None,
        run_id=str(command.run_id or ""),
        file=file,
        history=tuple(history),
    )


def damaged_files(control: Control, tokens: Mapping[str, str], *, one_in: int) -> tuple[int, list[str]]:
    """(how many were read, what is wrong): one stored file in so many, held against Cloudflare's own bytes."""
    wrong: list[str] = []
    rows = Artifact.objects.filter(status__in=sorted(HAS_FILE)).select_related("command__account").order_by("id")
    chosen = list(rows)[::one_in]
    for artifact in chosen:
        account = artifact.command.account.cloudflare_id
        truth = control.download(account, tokens[account], artifact.command.remote_id)
        with storages["artifacts"].open(artifact.storage_name) as stored:
            ours = stored.read()
        if ours != truth or hashlib.sha256(ours).hexdigest() != artifact.sha256:
            wrong.append(f"the file of {artifact.command_id} is not the one that Cloudflare has")
    return len(chosen), wrong


def files_under_way() -> int:
    return Artifact.objects.filter(status__in=(ArtifactStatus.WANTED, ArtifactStatus.FETCHING)).count()
