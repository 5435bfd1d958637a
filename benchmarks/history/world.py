"""A believable past: people, their devices, and what a helpdesk asked for over 90 days. Rows as columns of text.

Pure: the same seed, number and end give the same rows. A text is what both SQLite and PostgreSQL take for the column;
None is NULL. Nothing in it is open, so no worker ever touches it, and no file of it is here: all are purged or gone.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from commands.rules.ids import first_id
from commands.rules.kinds import Kind
from commands.rules.states import ArtifactStatus, Mover, Status

DAYS = 90
_FIRST = ("anna", "ben", "carla", "david", "elena", "felix", "greta", "hugo", "ines", "jonas", "kira", "leo", "maria")
_LAST = ("lopez", "bauer", "okafor", "silva", "novak", "rossi", "weber", "tanaka", "meyer", "haddad", "jensen")
_PLATFORMS = (("windows", "LAP", 60), ("mac", "MBP", 32), ("linux", "LNX", 8))
_KINDS = ((Kind.PCAP, 55), (Kind.WARP_DIAG, 38), (Kind.SPEED_TEST, 7))
_ENDS = (
    (Status.SUCCESS, 740),
    (Status.FAILED, 150),
    (Status.EXPIRED, 45),
    (Status.WITHDRAWN, 35),
    (Status.REJECTED, 15),
    (Status.UNCONFIRMED, 10),
    (Status.DECLINED, 5),
)
_SENT = {Status.SUCCESS, Status.FAILED, Status.UNCONFIRMED}
_REASONS = ("VPN is slow", "site does not open", "drops in calls", "asked by security", "")
_PURPOSES = ("Slow connection", "No connection", "Drops and freezes", "Security review", "")
_OPTIONS = {
    Kind.PCAP: {"max-file-size-mb": 50, "packet-size-bytes": 160, "time-limit-min": 2},
    Kind.WARP_DIAG: {"test-all-routes": False},
    Kind.SPEED_TEST: {},
}
_ELSEWHERE = 0.04  # of all commands
_COMMANDS_A_DEVICE = 12

ACCOUNT = "{account}"
ASKERS = tuple(f"{{asker-{number:02}}}" for number in range(1, 13))
"""What stands in the rows for keys that only a database knows; the busiest asker first."""

type Row = Sequence[str | None]

COLUMNS = {
    "commands_run": "id account_id requested_by_id requested_at options devices purpose ticket reason form_key",
    "commands_command": (
        "id account_id run_id requested_by_id requested_at ticket started_elsewhere kind options device_id "
        "registration_id email device_name platform listed status status_at version words send_alone missed_listings "
        "possible_match remote_id remote_status remote_created_at remote_completed_at match_uncertain"
    ),
    "commands_event": "id at event account_id run_id command_id version from_status to_status mover by_id data",
    "commands_artifact": (
        "id command_id status status_at filename deleted_remotely_at etag size sha256 stored_at reason_code "
        "remote_message attempts"
    ),
}
"""The tables in the order in which they are loaded, and the columns of their rows."""


@dataclass(frozen=True, slots=True)
class Machine:
    device_id: str
    registration_id: str
    email: str
    name: str
    platform: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What the commands of one run have in common; without a run: started elsewhere."""

    at: datetime
    kind: Kind
    run_id: str | None = None
    asker: str | None = None
    ticket: str = ""


@dataclass(slots=True)
class World:
    seed: int
    commands: int
    end: datetime
    dice: random.Random = field(init=False)
    machines: list[Machine] = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.machines = [self._machine(number) for number in range(max(10, self.commands // _COMMANDS_A_DEVICE))]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """(table, row), each run before its commands."""
        at = self.end - timedelta(days=DAYS)
        pause = timedelta(days=DAYS) / max(1, self.commands)
        left = self.commands
        while left:
            if self.dice.random() < _ELSEWHERE:
                yield from self._elsewhere(at)
                made = 1
            else:
                made = min(left, self._size())
                yield from self._run(at, made)
            left -= made
            at += pause * made

    def _machine(self, number: int) -> Machine:
        [(platform, prefix, _)] = self.dice.choices(_PLATFORMS, [weight for *_, weight in _PLATFORMS])
        person = number if self.dice.random() < 0.7 else self.dice.randrange(number + 1)  # some have several
        email = f"{_FIRST[person % len(_FIRST)]}.{_LAST[person // len(_FIRST) % len(_LAST)]}{person}@example.com"
        return Machine(self._uuid(), self._uuid(), email, f"{prefix}-{number:05}", platform)

    def _size(self) -> int:
        [most] = self.dice.choices((3, 12, 120), (90, 8, 2))
        return self.dice.randint(1, most)

    def _uuid(self) -> str:
        return str(UUID(int=self.dice.getrandbits(128), version=4))

    def _id(self, at: datetime) -> str:
        """Of this instant, increasing."""
        self._made += 1
        return UUID(int=first_id(at).int | self._made << 24 | self.dice.getrandbits(24)).hex

    def _run(self, at: datetime, size: int) -> Iterator[tuple[str, Row]]:
        pick = self.dice.choice
        [kind] = self.dice.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])
        ticket = f"INC-{10_000 + self._made // 12}" if self.dice.random() < 0.85 else ""
        ask = Ask(at, kind, self._id(at), ASKERS[self._rank(len(ASKERS))], ticket)
        purpose, reason, options = pick(_PURPOSES), pick(_REASONS), json.dumps({kind: _OPTIONS[kind]})
        key = UUID(int=self.dice.getrandbits(128), version=4).hex
        yield (
            "commands_run",
            (ask.run_id, ACCOUNT, ask.asker, _time(at), options, str(size), purpose, ticket, reason, key),
        )
        machines = self.dice.sample(self.machines, min(size, len(self.machines)))
        machines += [pick(self.machines) for _ in range(size - len(machines))]
        for machine in machines:
            yield from self._command(ask, machine)

    def _elsewhere(self, at: datetime) -> Iterator[tuple[str, Row]]:
        yield from self._command(Ask(at, Kind.WARP_DIAG), self.dice.choice(self.machines))

    def _rank(self, count: int) -> int:
        return min(count - 1, int(self.dice.expovariate(3 / count)))

    def _command(self, ask: Ask, machine: Machine) -> Iterator[tuple[str, Row]]:
        choices = _ENDS if ask.run_id else _ENDS[:2]
        [status] = self.dice.choices([end for end, _ in choices], [weight for _, weight in choices])
        ended = ask.at + timedelta(seconds=self.dice.randint(40, 900))
        sent = status in _SENT
        remote = status.value if status in (Status.SUCCESS, Status.FAILED) else "PENDING_EXEC" if sent else ""
        id_, options = self._id(ask.at), json.dumps(_OPTIONS[ask.kind]) if ask.run_id else "{}"
        yield (
            "commands_command",
            (
                *(id_, ACCOUNT, ask.run_id, ask.asker, _time(ask.at), ask.ticket, "0" if ask.run_id else "1"),
                *(ask.kind.value, options, machine.device_id, machine.registration_id, machine.email, machine.name),
                *(machine.platform, "1", status.value, _time(ended), "3", "", "0", "0", "0"),
                *(self._uuid() if sent else "", remote),
                *(_time(ask.at) if sent else None, _time(ended) if sent else None, "0"),
            ),
        )
        yield from self._events(ask, id_, ended, status)
        yield "commands_artifact", self._artifact(ended, id_, status)

    def _events(self, ask: Ask, id_: str, ended: datetime, status: Status) -> Iterator[tuple[str, Row]]:
        ours = ask.run_id is not None
        between = Status.PENDING_EXEC if status in _SENT else Status.QUEUED
        opener, ender = Mover.PERSON if ours else Mover.CLOUDFLARE, _ENDERS.get(status, Mover.CLOUDFLARE)
        middle = ask.at + (ended - ask.at) / 20
        first = ("asked", "", Status.QUEUED) if ours else ("imported", "", between)
        lines = (
            (ask.at, *first, opener, ask.asker),
            (middle, "moved", Status.SENDING if ours else between, between, Mover.CLOUDFLARE, None),
            (ended, "moved", between, status, ender, ask.asker if ender is Mover.PERSON else None),
        )
        for version, (at, event, source, target, by, person) in enumerate(lines, start=1):
            about = (event, ACCOUNT, ask.run_id, id_, str(version))
            yield "commands_event", (self._id(at), _time(at), *about, str(source), str(target), str(by), person, "{}")

    def _artifact(self, ended: datetime, command_id: str, status: Status) -> Row:
        brought = status is Status.SUCCESS
        size = str(int(self.dice.lognormvariate(14, 1.2))) if brought else None
        return (
            *(self._id(ended), command_id, ArtifactStatus.PURGED if brought else ArtifactStatus.GONE, _time(ended)),
            *("capture.zip", _time(ended + timedelta(days=7)), "", size),
            *(f"{self.dice.getrandbits(256):064x}" if brought else "", _time(ended) if brought else None),
            *("" if brought else "not_found", "", "1"),
        )


_ENDERS = {
    Status.EXPIRED: Mover.PORTAL,
    Status.UNCONFIRMED: Mover.PORTAL,
    Status.WITHDRAWN: Mover.PERSON,
    Status.DECLINED: Mover.APPROVER,
}


def _time(at: datetime) -> str:
    """Aware UTC; without its zone, as SQLite keeps it and PostgreSQL reads it in a session in UTC."""
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")
