"""What was asked, what is recorded and what Cloudflare did, held against each other. Pure: rows in, findings out.

Each command asked in a fault run carries options that no other command of its machine and kind has, so that an entry
of the ledger names its command; the portal cannot see that, for a listing has no options. The rules are design.md's;
docs/delivery.md says what is fair about twins.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from commands.states import COMMAND_MOVES, FINAL_REMOTE, IN_FLIGHT, UNSENT, Mover, Status

STARTS = (Status.QUEUED, Status.AWAITING_APPROVAL, Status.WAITING_DEVICE)


@dataclass(frozen=True, order=True)
class Tag:
    """What tells one command of ours from all others: account, machine, kind, options (as text)."""

    account: str
    device_id: str
    kind: str
    options: str


@dataclass(frozen=True)
class Entry:
    """One command in the simulator's ledger. `foreign`: no POST of ours made it."""

    id: str
    tag: Tag
    created_at: datetime
    foreign: bool


@dataclass(frozen=True)
class Line:
    """One Event of a command."""

    version: int
    at: datetime
    event: str
    mover: str
    source: str = ""
    target: str = ""


@dataclass(frozen=True)
class Recorded:
    """One command of the record. `since` and `until`: when the entry of its last POST can have been created."""

    id: str
    tag: Tag
    status: Status
    version: int
    remote_id: str = ""
    likely: bool = False
    started_elsewhere: bool = False
    is_merged: bool = False
    since: datetime | None = None
    until: datetime | None = None
    history: tuple[Line, ...] = ()

    def could_be(self, entry: Entry) -> bool:
        """Whether nobody could tell from a listing that this entry is not this command's."""
        same = (entry.tag.account, entry.tag.device_id, entry.tag.kind) == (
            self.tag.account,
            self.tag.device_id,
            self.tag.kind,
        )
        return (
            same and self.since is not None and self.until is not None and self.since <= entry.created_at <= self.until
        )


@dataclass
class Verdict:
    """`lost`, `doubled`, `stuck`: design.md's. `wrong`: what else must not be. `twins`: told, not counted."""

    commands: int
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.stuck or self.wrong)

    def line(self) -> str:
        return f"{self.commands} commands: {len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.stuck)} stuck"


def compare(
    asked: Sequence[Tag], record: Sequence[Recorded], ledger: Sequence[Entry], *, imported_by: datetime
) -> Verdict:
    """`imported_by`: what others created before then must stand in the record by now."""
    verdict = Verdict(len(asked))
    ours = {row.tag: row for row in record if not row.started_elsewhere}
    owners = _owners(record, verdict)
    own: dict[Tag, list[Entry]] = defaultdict(list)
    for entry in ledger:
        if not entry.foreign:
            own[entry.tag].append(entry)
    entries = {entry.id: entry for entry in ledger}
    for tag in asked:
        _of_command(tag, ours.get(tag), own.get(tag, []), owners, entries, verdict)
    for tag in sorted(own.keys() - set(asked)):
        verdict.lost.append(f"nobody asked for what the ledger has: {tag}")
    _others(ledger, owners, imported_by, verdict)
    for row in record:
        verdict.wrong += [f"{row.id}: {fault}" for fault in faults_of_history(row)]
    return verdict


def _owners(record: Iterable[Recorded], verdict: Verdict) -> dict[str, Recorded]:
    owners: dict[str, Recorded] = {}
    for row in record:
        if row.remote_id and (other := owners.setdefault(row.remote_id, row)) is not row:
            verdict.doubled.append(f"{row.id} and {other.id} both own {row.remote_id}")
    return owners


def _of_command(
    tag: Tag,
    row: Recorded | None,
    entries: Sequence[Entry],
    owners: Mapping[str, Recorded],
    ledger: Mapping[str, Entry],
    verdict: Verdict,
) -> None:
    if row is None:
        verdict.lost.append(f"asked for, but not recorded: {tag}")
        return
    if row.status in IN_FLIGHT | UNSENT:
        verdict.stuck.append(f"{row.id} is {row.status}")
    if len(entries) > 1:
        verdict.doubled.append(f"{row.id} was carried out {len(entries)} times: {[entry.id for entry in entries]}")
    for entry in entries:
        _of_entry(entry, row, owners.get(entry.id), ledger, verdict)
    if not entries and row.remote_id:
        _of_borrowed(row, ledger.get(row.remote_id), verdict)


def _of_entry(
    entry: Entry, row: Recorded, owner: Recorded | None, ledger: Mapping[str, Entry], verdict: Verdict
) -> None:
    """An entry of ours, its command, and the command that owns its id in the record."""
    if owner is row:
        if row.status not in FINAL_REMOTE and row.status not in IN_FLIGHT:
            verdict.lost.append(f"{row.id} is {row.status} without an end, but the ledger has {entry.id}")
        return
    held = ledger.get(row.remote_id)
    if owner is None:
        verdict.lost.append(f"{row.id} is {row.status}, and nobody owns its entry {entry.id}")
    elif held is None or not row.could_be(held):
        verdict.lost.append(f"{row.id} is {row.status}; its entry {entry.id} is owned by {owner.id}")
    elif not row.likely:
        verdict.wrong.append(f"{row.id} holds {held.id} in place of its own {entry.id} and does not say “likely”")
    else:
        verdict.twins.append(f"{row.id} holds the twin {held.id}, {owner.id} its own entry {entry.id}")


def _of_borrowed(row: Recorded, held: Entry | None, verdict: Verdict) -> None:
    """It never landed, and holds an entry all the same."""
    if held is None or not row.could_be(held):
        verdict.wrong.append(f"{row.id} never landed and holds {row.remote_id}, which could not be its own")
    else:
        said = "as likely" if row.likely else "the only one that there ever was"
        verdict.twins.append(f"{row.id} never landed and holds {held.id} of somebody else, {said}")


def _others(ledger: Iterable[Entry], owners: Mapping[str, Recorded], imported_by: datetime, verdict: Verdict) -> None:
    for entry in ledger:
        if entry.foreign and entry.id not in owners and entry.created_at < imported_by:
            verdict.wrong.append(f"what somebody else started is not recorded: {entry.id} of {entry.created_at}")


def faults_of_history(row: Recorded) -> list[str]:
    """Versions without gaps, moves of the table only, each from where the last one went, times in order."""
    lines = sorted(row.history, key=lambda line: line.version)
    faults = []
    if [line.version for line in lines] != list(range(1, row.version + 1)):
        faults.append(f"version {row.version}, but Events {[line.version for line in lines]}")
    status = ""
    for number, line in enumerate(lines):
        if not number:
            if not row.started_elsewhere and line.target not in STARTS:
                faults.append(f"begins as {line.target or line.event}")
            status = line.target
        elif line.target:
            movers = COMMAND_MOVES.get((Status(line.source), Status(line.target)), frozenset[Mover]())
            if line.source != status or line.mover not in movers:
                faults.append(f"{status}, then from {line.source} to {line.target} by {line.mover}")
            status = line.target
    if lines and status != row.status:
        faults.append(f"is {row.status}, its Events end at {status}")
    faults += [
        f"{later.event} {later.target} (version {later.version}) is {earlier.at - later.at} before the one before"
        for earlier, later in pairwise(lines)
        if later.at < earlier.at
    ]
    return faults
