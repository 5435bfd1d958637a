"""What was asked, what is recorded and what Cloudflare did, held against each other. Pure: rows in, findings out.

Each command asked in a fault run carries options that no other command of its machine and kind has, so that an entry
of the ledger names its command; the portal cannot see that, for a listing has no options. The rules are design.md's;
docs/proof.md says what is fair about twins.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Protocol

from commands.rules.states import COMMAND_MOVES, FINAL_REMOTE, IN_FLIGHT, UNSENT, Mover, Status
from tests.faults.files import Filed, Mishaps, fault_of_file

STARTS = (Status.QUEUED, Status.AWAITING_APPROVAL, Status.WAITING_DEVICE)
SETTLE_LISTINGS = 3  # as the settings say
CLOUDFLARE_OFF = timedelta(seconds=1)  # what Cloudflare's clock is off at most; `run again` keeps more distance


@dataclass(frozen=True, order=True)
class Tag:
    """What tells one command of ours from all others: account, machine, kind, options (as text)."""

    account: str
    device_id: str
    kind: str
    options: str


@dataclass(frozen=True)
class Entry:
    """One command in the simulator's ledger. `foreign`: no POST of ours made it. `status`: the true one, in the end.

    `fetched`: for each time that its file was asked for, the faults that were in the way.
    """

    id: str
    tag: Tag
    created_at: datetime
    foreign: bool
    status: str = Status.SUCCESS
    fetched: tuple[tuple[str, ...], ...] = ()


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
    """One command of the record; ids are in the order in which they were asked.

    `since` and `until`: when the entry of its last POST can have been created.
    """

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
    requested_at: datetime | None = None
    claimed_at: datetime | None = None  # the last time
    unlisted: int = 0  # complete listings after its lease that did not have it
    closes_at: datetime | None = None  # its window, without any listing
    run_id: str = ""
    file: Filed | None = None
    history: tuple[Line, ...] = ()

    @property
    def landed_until(self) -> datetime | None:
        """When it was in flight no longer; None: it still is, or never was."""
        flying = [line for line in self.history if line.target in IN_FLIGHT]
        sent = [line.version for line in flying if line.source not in IN_FLIGHT]  # by a claim, or by a restore
        ends = [line for line in self.history if sent and line.version > sent[-1] and line.target]
        return next((line.at for line in ends if line.target not in IN_FLIGHT), None)

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


@dataclass(frozen=True)
class Acts:
    """What people did besides asking, by the portal's ids, and what befell files meanwhile.

    `to_go`: commands of which somebody said "send now"; `let_go`: those of them for which there was an answer.
    """

    runs_withdrawn: frozenset[str] = frozenset()
    to_go: frozenset[str] = frozenset()
    let_go: frozenset[str] = frozenset()
    mishaps: Mishaps = field(default_factory=Mishaps)


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
    def findings(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.stuck, *self.wrong]

    @property
    def is_clean(self) -> bool:
        return not self.findings

    def line(self) -> str:
        return f"{self.commands} commands: {len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.stuck)} stuck"


def compare(
    asked: Sequence[Tag],
    record: Sequence[Recorded],
    ledger: Sequence[Entry],
    *,
    wanted: int,
    imported_by: datetime,
    acts: Acts = Acts(),
) -> Verdict:
    """`wanted`: how many were to be asked. `imported_by`: what others created before then must be recorded by now."""
    verdict = Verdict(len(asked))
    if len(asked) != wanted:
        verdict.wrong.append(f"{len(asked)} commands were asked, not {wanted}")
    ours = _by_tag(sorted((row for row in record if not row.started_elsewhere), key=lambda row: row.id))
    own = _by_tag(entry for entry in ledger if not entry.foreign)
    owners = _owners(record, verdict)
    entries = {entry.id: entry for entry in ledger}
    for tag, times in Counter(asked).items():
        _of_tag(tag, times, ours.get(tag, []), verdict)
        for row, its_own in _shared_out(ours.get(tag, []), own.get(tag, [])):
            _of_command(row, its_own, owners, entries, verdict)
            _of_people(row, acts, verdict)
            verdict.wrong += fault_of_file(row.id, row.status, row.file, entries.get(row.remote_id), acts.mishaps)
    for tag in sorted(own.keys() - set(asked)):
        verdict.lost.append(f"nobody asked for what the ledger has: {tag}")
    for tag in sorted(ours.keys() - set(asked)):
        verdict.wrong.append(f"nobody asked for what is recorded: {tag}")
    _others(ledger, owners, imported_by, verdict)
    verdict.wrong += _two_at_once(row for rows in ours.values() for row in rows)
    for row in record:
        verdict.wrong += [f"{row.id}: {fault}" for fault in faults_of_history(row)]
    return verdict


class _Tagged(Protocol):
    @property
    def tag(self) -> Tag: ...


def _by_tag[T: _Tagged](rows: Iterable[T]) -> dict[Tag, list[T]]:
    found: dict[Tag, list[T]] = defaultdict(list)
    for row in rows:
        found[row.tag].append(row)
    return found


def _owners(record: Iterable[Recorded], verdict: Verdict) -> dict[str, Recorded]:
    owners: dict[str, Recorded] = {}
    for row in record:
        if row.remote_id and (other := owners.setdefault(row.remote_id, row)) is not row:
            verdict.doubled.append(f"{row.id} and {other.id} both own {row.remote_id}")
    return owners


def _of_tag(tag: Tag, times: int, rows: Sequence[Recorded], verdict: Verdict) -> None:
    """Asked so often (more than once: somebody ran it again), recorded so often."""
    verdict.lost += [f"asked for, but not recorded: {tag}"] * (times - len(rows))
    if len(rows) > times:
        verdict.doubled.append(f"asked for {times} times, but recorded as {[row.id for row in rows]}")


def _shared_out(rows: Sequence[Recorded], entries: Sequence[Entry]) -> Iterator[tuple[Recorded, list[Entry]]]:
    """Of what was run again, each command's own entries: those from when it was asked until it was asked again."""
    left = sorted(entries, key=lambda entry: entry.created_at)
    for row, later in zip_longest(rows, rows[1:]):
        again = later.requested_at if later else None
        its_own = [entry for entry in left if again is None or entry.created_at < again - CLOUDFLARE_OFF]
        left = left[len(its_own) :]
        yield row, its_own


def _of_command(
    row: Recorded,
    entries: Sequence[Entry],
    owners: Mapping[str, Recorded],
    ledger: Mapping[str, Entry],
    verdict: Verdict,
) -> None:
    if row.status in IN_FLIGHT | UNSENT:
        verdict.stuck.append(f"{row.id} is {row.status}")
    if len(entries) > 1:
        verdict.doubled.append(f"{row.id} was carried out {len(entries)} times: {[entry.id for entry in entries]}")
    for entry in entries:
        _of_entry(entry, row, owners.get(entry.id), ledger, verdict)
    if not entries and row.remote_id:
        _of_borrowed(row, ledger.get(row.remote_id), verdict)
    held = ledger.get(row.remote_id)
    if held and row.status in FINAL_REMOTE and row.status != held.status:
        verdict.lost.append(f"{row.id} ended as {row.status}, {held.id} of Cloudflare as {held.status}")


def _of_people(row: Recorded, acts: Acts, verdict: Verdict) -> None:
    """Nothing is taken back or let go unless somebody said so; who let something go finds that in its history."""
    if row.status is Status.WITHDRAWN and row.run_id not in acts.runs_withdrawn:
        verdict.wrong.append(f"{row.id} is withdrawn, but nobody withdrew {row.run_id}")
    went = any(line.event == "send_now" for line in row.history)
    if went and row.id not in acts.to_go:
        verdict.wrong.append(f"{row.id} was let go, but nobody said so")
    if row.id in acts.let_go and not went and row.status not in (Status.EXPIRED, Status.WITHDRAWN):
        verdict.wrong.append(f"{row.id} is {row.status}; somebody said “send now”, but its history does not say so")


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
    """What somebody else started is recorded, and with the end that it had."""
    for entry in ledger:
        owner = owners.get(entry.id)
        if owner is None:
            if entry.foreign and entry.created_at < imported_by:
                verdict.wrong.append(f"what somebody else started is not recorded: {entry.id} of {entry.created_at}")
        elif owner.started_elsewhere and owner.status in FINAL_REMOTE and owner.status != entry.status:
            verdict.wrong.append(f"{entry.id} was started elsewhere and ended as {entry.status}, not {owner.status}")


def _two_at_once(rows: Iterable[Recorded]) -> list[str]:
    """Commands of ours that were claimed while another was in flight on the same machine, of the same kind."""
    places: dict[tuple[str, str, str], list[tuple[datetime, Recorded]]] = defaultdict(list)
    for row in rows:
        if row.claimed_at is not None:
            places[row.tag.account, row.tag.device_id, row.tag.kind].append((row.claimed_at, row))
    found = []
    for claims in places.values():
        for (_, row), (claimed_at, later) in pairwise(sorted(claims, key=lambda claim: claim[0])):
            if row.landed_until is None or claimed_at < row.landed_until:
                until = f", until {row.landed_until}" if row.landed_until else ""
                found.append(f"{later.id} was sent at {claimed_at}, while {row.id} was in flight on the machine{until}")
    return found


def _given_up_at(lines: Iterable[Line]) -> datetime | None:
    """When the window of an uncertain command was closed."""
    ends = (Status.UNCONFIRMED, Status.REJECTED)
    closed = [line for line in lines if line.source == Status.UNCERTAIN and line.target in ends]
    return next((line.at for line in closed if line.mover == "portal"), None)


def _is_too_soon(row: Recorded, given_up_at: datetime) -> bool:
    return row.unlisted < SETTLE_LISTINGS and (row.closes_at is None or given_up_at < row.closes_at)


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
    if (given_up_at := _given_up_at(lines)) and _is_too_soon(row, given_up_at):
        faults.append(f"given up after {row.unlisted} complete listings without it")
    if lines and status != row.status:
        faults.append(f"is {row.status}, its Events end at {status}")
    faults += [
        f"{later.event} {later.target} (version {later.version}) is {earlier.at - later.at} before the one before"
        for earlier, later in pairwise(lines)
        if later.at < earlier.at
    ]
    return faults
