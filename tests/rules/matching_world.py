"""Model of Cloudflare and of our POSTs, for the generated histories of `test_matching_histories.py`.

The modelled Cloudflare knows the owner of each command. Matching sees only rows, with every flaw that a listing can
have. `_apply` carries out decisions as the actions would, and fails if a decision is impossible. A calm world holds no
command that could be mistaken for ours. Other worlds hold all kinds at once.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import Adopt, Advance, CastDoubt, Clock, Decision, Import, Ours, Sent, TakeOver, match
from commands.rules.states import COMMAND_MOVES, FINAL_REMOTE, IN_FLIGHT, REMOTE, Mover, Status, rank

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)
SETTLE = timedelta(minutes=3)
IMPORT_AGE = timedelta(minutes=12)  # longer than lease, slack and settle window together
MAX_SKEW = 100  # seconds; less than the slack that matching allows before the claim
# In a calm world no foreign command lands on the device so soon after a POST.
WATCHED = timedelta(minutes=5, seconds=MAX_SKEW)
MAX_LATENESS = timedelta(minutes=3)  # after a POST that the client gave up, until its command lands

type DeviceAndKind = tuple[str, Kind]


class Fate(Enum):
    ANSWERED = auto()  # the command landed, and the response arrived
    ANSWER_LOST = auto()
    WORKER_DIED = auto()  # the command landed, and the end of the POST is unknown
    LANDED_LATE = auto()  # the command landed after the client gave up
    NEVER_LANDED = auto()


@dataclass(frozen=True)
class Send:
    place: DeviceAndKind
    fate: Fate
    seconds: int  # duration of the POST, less than the lease
    skew: int
    late: int = 0


@dataclass(frozen=True)
class Foreign:
    place: DeviceAndKind
    skew: int
    registration_id: str


@dataclass(frozen=True)
class Wait:
    seconds: int


@dataclass(frozen=True)
class Listing:
    complete: bool
    seed: int
    lag: int
    spoil: frozenset[str]


type Step = Send | Foreign | Wait | Listing


@dataclass
class Remote:
    """Command at Cloudflare, with its true owner."""

    row: ListedCommand  # an honest listing shows this row, with the current status
    lands_at: datetime  # by the portal's clock
    owner: UUID | None
    final: Status

    def status(self, now: datetime) -> Status:
        age = now - self.lands_at
        if age < timedelta(minutes=4):
            return Status.PENDING_EXEC
        return Status.PENDING_UPLOAD if age < timedelta(minutes=6) else self.final


@dataclass
class World:
    calm: bool
    offset: timedelta
    now: datetime = START
    commands: dict[UUID, Ours] = field(default_factory=dict)
    remote: dict[str, Remote] = field(default_factory=dict)
    answers: list[tuple[datetime, UUID, str]] = field(default_factory=list)
    complete_since: dict[UUID, int] = field(default_factory=dict)
    match_uncertain: set[UUID] = field(default_factory=set)

    def apply_step(self, step: Step) -> None:
        match step:
            case Send():
                self._send(step)
            case Foreign():
                self._foreign(step)
            case Wait():
                self.wait(step.seconds)
            case Listing():
                self.list(step)

    def wait(self, seconds: int) -> None:
        for _ in range(-(-seconds // 10)):
            self.now += timedelta(seconds=10)
            self._answer()
            self._settle()

    def at(self, place: DeviceAndKind) -> Iterator[Ours]:
        return (c for c in self.commands.values() if (c.device_id, c.kind) == place and not c.started_elsewhere)

    def _send(self, send: Send) -> None:
        if any(c.status in IN_FLIGHT for c in self.at(send.place)) or (self.calm and self._is_risky(send.place)):
            return
        ended = self.now + timedelta(seconds=send.seconds)
        known_end = None if send.fate is Fate.WORKER_DIED else ended
        device, kind = send.place
        command = Ours(
            new_id(self.now),
            Status.SENDING,
            kind,
            device,
            f"reg-{device}",
            f"{device}@example.com",
            sent=Sent(self.now, self.now + LEASE, known_end),
        )
        self.commands[command.id] = command
        if send.fate is Fate.NEVER_LANDED:
            return
        lands_at = self.now + timedelta(seconds=send.seconds // 2)
        if send.fate is Fate.LANDED_LATE:
            lands_at = ended + timedelta(seconds=send.late)
        remote_id = self._land(send.place, command.registration_id, lands_at, send.skew, command.id)
        if send.fate is Fate.ANSWERED:
            self.answers.append((ended, command.id, remote_id))

    def _is_risky(self, place: DeviceAndKind) -> bool:
        """Return whether a new command on this device could be mistaken for another one."""
        recent = self.now - timedelta(minutes=5)
        return any(c.is_sought for c in self.at(place)) or any(
            r.lands_at > recent for r in self.remote.values() if (r.row.device_id, r.row.kind) == place
        )

    def _foreign(self, foreign: Foreign) -> None:
        watched = any(
            c.is_sought and c.sent and self.now <= (c.sent.post_ended_at or c.sent.lease_until) + WATCHED
            for c in self.at(foreign.place)
        )
        if self.calm and (watched or any(c.status is Status.SENDING for c in self.at(foreign.place))):
            return
        self._land(foreign.place, foreign.registration_id, self.now, foreign.skew, None)

    def _land(self, place: DeviceAndKind, registration: str, at: datetime, skew: int, owner: UUID | None) -> str:
        device, kind = place
        remote_id = f"r{len(self.remote)}"
        created = at + self.offset + timedelta(seconds=skew)
        row = ListedCommand(remote_id, kind, "", device, registration, f"{device}@example.com", created)
        final = Status.FAILED if len(self.remote) % 3 == 0 else Status.SUCCESS
        self.remote[remote_id] = Remote(row, at, owner, final)
        return remote_id

    def _answer(self) -> None:
        """Record the responses of our own POSTs, late ones too."""
        for due in [answer for answer in self.answers if answer[0] <= self.now]:
            self.answers.remove(due)
            _, ours_id, remote_id = due
            owned = remote_id in {c.remote_id for c in self.commands.values()}
            if not owned and not self.commands[ours_id].remote_id:
                self._change(ours_id, remote_id=remote_id, status=Status.PENDING_EXEC)

    def _settle(self) -> None:
        for command in list(self.commands.values()):
            if command.sent is None or command.remote_id:
                continue
            post_ended_by = command.sent.post_ended_at or command.sent.lease_until
            window_ends = command.sent.lease_until + SETTLE
            if command.status is Status.SENDING and post_ended_by <= self.now:
                self._change(command.id, status=Status.UNCERTAIN)
                self.complete_since[command.id] = 0
            elif (
                command.status is Status.UNCERTAIN and window_ends <= self.now and self.complete_since[command.id] >= 3
            ):
                self._change(command.id, status=Status.UNCONFIRMED)

    def list(self, listing: Listing) -> list[Decision]:
        rows = list(self._rows(listing))
        clock = Clock(self.now, IMPORT_AGE, self.offset)
        decisions = match(rows, self.commands.values(), clock, complete=listing.complete)
        self._apply(decisions, {row.id for row in rows})
        if listing.complete:
            for ours_id in self.complete_since:
                self.complete_since[ours_id] += 1
        return decisions

    def _rows(self, listing: Listing) -> Sequence[ListedCommand]:
        rng = random.Random(listing.seed)
        visible = [r for r in self.remote.values() if r.lands_at <= self.now - timedelta(seconds=listing.lag)]
        rows: list[ListedCommand] = []
        for remote in visible:
            if "lose" in listing.spoil and rng.random() < 0.3:
                continue
            rows.append(self._spoiled(remote, listing.spoil, rng))
            if "repeat" in listing.spoil and rng.random() < 0.3:
                rows.append(self._spoiled(remote, listing.spoil, rng))
        if "shuffle" in listing.spoil:
            rng.shuffle(rows)
        return rows

    def _spoiled(self, remote: Remote, spoil: frozenset[str], rng: random.Random) -> ListedCommand:
        status = remote.status(self.now)
        row = replace(remote.row, status=status)
        if status in FINAL_REMOTE:
            assert row.created_date is not None
            row = replace(row, completed_date=row.created_date + timedelta(minutes=6))
        chosen = {flaw for flaw in sorted(spoil) if rng.random() < 0.4}
        if "go back" in chosen:
            row = replace(row, status=Status.PENDING_EXEC)
        if "strange word" in chosen:
            row = replace(row, status="HALTED")
        if "no registration" in chosen:
            row = replace(row, registration_id="")
        if "no email" in chosen:
            row = replace(row, user_email="")
        if "no date" in chosen and not (self.calm and remote.owner is None):
            row = replace(row, created_date=None)
        return row

    def _apply(self, decisions: Sequence[Decision], listed: set[str]) -> None:
        for decision in decisions:
            match decision:
                case Advance():
                    self._change(decision.ours_id, status=decision.status)
                case Adopt():
                    self._adopt(decision, listed)
                case TakeOver():
                    del self.commands[decision.imported_id]
                    self._attach(decision.ours_id, decision.row, decision.status)
                    self.match_uncertain.add(decision.ours_id)
                case Import():
                    self._import(decision)
                case CastDoubt():
                    self._doubt(decision.ours_ids)

    def _adopt(self, adopt: Adopt, listed: set[str]) -> None:
        command = self.commands[adopt.ours_id]
        assert command.status in (Status.UNCERTAIN, Status.UNCONFIRMED), "a sending command must not adopt a row"
        if not adopt.match_uncertain:
            own = {i for i, r in self.remote.items() if r.owner == command.id}
            assert adopt.remote_id in own or not own & listed, (
                "a sure adoption took another row although the own row was listed"
            )
        self._attach(adopt.ours_id, adopt.row, adopt.status)
        self._doubt(adopt.doubts)
        if adopt.match_uncertain:
            self.match_uncertain.add(adopt.ours_id)
        else:
            self.commands[adopt.ours_id] = replace(self.commands[adopt.ours_id], adopted=True)

    def _doubt(self, ours_ids: Sequence[UUID]) -> None:
        for ours_id in ours_ids:
            # Two rows of one listing can doubt the same command.
            assert self.commands[ours_id].adopted or ours_id in self.match_uncertain, (
                "only a sure adoption can be doubted"
            )
            self.match_uncertain.add(ours_id)
            self.commands[ours_id] = replace(self.commands[ours_id], adopted=False)

    def _attach(self, ours_id: UUID, row: ListedCommand, status: Status | None) -> None:
        command = self.commands[ours_id]
        assert not command.remote_id, "the command has an id already"
        assert row.id not in {c.remote_id for c in self.commands.values()}, "the id has an owner already"
        assert (row.device_id, row.kind) == (command.device_id, command.kind), "the row is of another device or kind"
        self._change(ours_id, remote_id=row.id, status=status or command.status)

    def _import(self, imported: Import) -> None:
        remote = self.remote[imported.remote_id]
        assert imported.remote_id not in {c.remote_id for c in self.commands.values()}, "the id has an owner already"
        if remote.owner is not None:
            owner_remote_id = self.commands[remote.owner].remote_id
            assert owner_remote_id, "our row was imported although its command has no other row"
            assert not self.calm, "our row was imported in a calm world"
        assert self.now - remote.lands_at > IMPORT_AGE - timedelta(seconds=MAX_SKEW), "a young row was imported"
        ours_id = new_id(self.now)
        self.commands[ours_id] = Ours(
            ours_id,
            imported.status,
            imported.row.kind,
            imported.row.device_id,
            remote_id=imported.remote_id,
            started_elsewhere=True,
        )

    def _change(self, ours_id: UUID, *, status: Status, remote_id: str = "") -> None:
        """Apply one transition that the table allows. Cloudflare's statuses never go back."""
        command = self.commands[ours_id]
        if status != command.status:
            by = Mover.CLOUDFLARE if status in REMOTE else Mover.PORTAL
            assert by in COMMAND_MOVES.get((command.status, status), ()), f"{command.status} to {status}"
            assert status not in REMOTE or rank(status) > rank(command.status)
        self.commands[ours_id] = replace(command, status=status, remote_id=remote_id or command.remote_id)
