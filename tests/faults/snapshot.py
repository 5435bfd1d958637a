"""Snapshot of the portal's record and the simulator's ledger for `compare.py`. Import it only after Django's setup."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import storages
from django.db import connection, transaction
from django.utils.dateparse import parse_datetime

from commands.models import Artifact, Command, Event
from commands.rules.states import HAS_FILE, ArtifactStatus, Status
from tests.faults.compare import LedgerEntry, RecordedCommand, RecordedEvent, Tag
from tests.faults.compare_files import FileRecord
from tests.faults.simulator_control import SimulatorControl
from tests.faults.workload import options_text

MAX_SKEW = settings.ADOPT_BEFORE  # of clocks and dates, in both directions


def ledger_entries(ledger: Iterable[Mapping[str, Any]]) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            id=row["id"],
            tag=Tag(row["account"], row["device_id"], row["kind"], options_text(row["args"])),
            created_at=_time(row["created_at"]),
            foreign=row["foreign"],
            status=row["status"],
            fetched=tuple(tuple(faults) for faults in row["fetched"]),
        )
        for row in ledger
    ]


def _time(text: str) -> datetime:
    parsed = parse_datetime(text)
    assert parsed is not None
    return parsed


def recorded_commands() -> list[RecordedCommand]:
    """Return all commands, ours and foreign ones, with their histories, as they were at one instant.

    Workers may import commands while this reads. One snapshot keeps a command from appearing without its Events.
    """
    if connection.in_atomic_block or connection.vendor != "postgresql":
        return _recorded_commands()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return _recorded_commands()


def _recorded_commands() -> list[RecordedCommand]:
    histories: dict[UUID, list[RecordedEvent]] = defaultdict(list)
    events = Event.objects.exclude(command=None).values_list(
        "command_id", "version", "at", "event", "mover", "from_status", "to_status"
    )
    events = events.order_by("command_id", "version")  # failed transactions leave rows in another order
    for command_id, version, at, event, mover, source, target in events.iterator():
        assert command_id is not None
        assert version is not None
        histories[command_id].append(RecordedEvent(version, at, event, mover, source, target))
    files = {artifact.command_id: _file_record(artifact) for artifact in Artifact.objects.iterator()}
    commands = Command.objects.select_related("account", "dispatch").order_by("id")
    return [_recorded_command(command, histories[command.id], files.get(command.id)) for command in commands.iterator()]


def _file_record(artifact: Artifact) -> FileRecord:
    storage, name = storages["artifacts"], artifact.storage_name
    is_stored = artifact.status in HAS_FILE and storage.exists(name) and storage.size(name) == artifact.size
    return FileRecord(ArtifactStatus(artifact.status), artifact.status_at, artifact.reason_code, is_stored)


def _recorded_command(command: Command, history: list[RecordedEvent], file: FileRecord | None) -> RecordedCommand:
    tag = Tag(command.account.cloudflare_id, command.device_id, command.kind, options_text(command.options))
    dispatch = command.dispatch
    post_ended_by = (dispatch.ended_at or dispatch.lease_until) if dispatch else None
    return RecordedCommand(
        id=str(command.id),
        tag=tag,
        status=Status(command.status),
        version=command.version,
        remote_id=command.remote_id,
        match_uncertain=command.match_uncertain,
        started_elsewhere=command.started_elsewhere,
        is_merged=command.merged_into_id is not None,
        created_from=dispatch.claimed_at - settings.ADOPT_BEFORE - MAX_SKEW if dispatch else None,
        created_until=post_ended_by + settings.ADOPT_AFTER + MAX_SKEW if post_ended_by else None,
        requested_at=command.requested_at,
        claimed_at=dispatch.claimed_at if dispatch else None,
        missed_listings=command.missed_listings,
        closes_at=dispatch.lease_until + settings.SETTLE_WINDOW_MAX if dispatch else None,
        run_id=str(command.run_id or ""),
        file=file,
        history=tuple(history),
    )


def damaged_files(control: SimulatorControl, tokens: Mapping[str, str], *, one_in: int) -> tuple[int, list[str]]:
    """Compare a sample of the stored files with Cloudflare's files, byte by byte.

    Return the number of compared files, and the errors.
    """
    wrong: list[str] = []
    rows = Artifact.objects.filter(status__in=sorted(HAS_FILE)).select_related("command__account").order_by("id")
    sample = list(rows)[::one_in]
    for artifact in sample:
        account = artifact.command.account.cloudflare_id
        original = control.download(account, tokens[account], artifact.command.remote_id)
        with storages["artifacts"].open(artifact.storage_name) as stored:
            content = stored.read()
        if content != original or hashlib.sha256(content).hexdigest() != artifact.sha256:
            wrong.append(f"the file of {artifact.command_id} differs from the file at Cloudflare")
    return len(sample), wrong


def count_unfinished_files() -> int:
    return Artifact.objects.filter(status__in=(ArtifactStatus.WANTED, ArtifactStatus.FETCHING)).count()
