"""Invented history: people, their devices, and the commands of a helpdesk over 90 days, as rows of text columns.

This module is pure: the same seed, size and end give the same rows. Each text is valid for its column in both SQLite
and PostgreSQL, and None is NULL. Every command is final, so that no worker touches it, and every file is purged or
gone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from commands.rules.ids import first_id
from commands.rules.kinds import Kind
from commands.rules.states import ArtifactStatus, Mover, Status

DAYS = 90
_FIRST = ("anna", "ben", "carla", "david", "elena", "felix", "greta", "hugo", "ines", "jonas", "kira", "leo", "maria")
_LAST = ("lopez", "bauer", "okafor", "silva", "novak", "rossi", "weber", "tanaka", "meyer", "haddad", "jensen")
_PLATFORMS = (("windows", "LAP", 60), ("mac", "MBP", 32), ("linux", "LNX", 8))
_KINDS = ((Kind.PCAP, 55), (Kind.WARP_DIAG, 38), (Kind.SPEED_TEST, 7))
_FINAL_STATUSES = (
    (Status.SUCCESS, 740),
    (Status.FAILED, 150),
    (Status.EXPIRED, 45),
    (Status.WITHDRAWN, 35),
    (Status.REJECTED, 15),
    (Status.UNCONFIRMED, 10),
    (Status.DECLINED, 5),
)
_SENT_STATUSES = {Status.SUCCESS, Status.FAILED, Status.UNCONFIRMED}
_REASONS = ("VPN is slow", "site does not open", "drops in calls", "requested by security", "")
_PURPOSES = ("Slow connection", "No connection", "Drops or freezes", "Security review", "")
_OPTIONS = {
    Kind.PCAP: {"max-file-size-mb": 50, "packet-size-bytes": 160, "time-limit-min": 2},
    Kind.WARP_DIAG: {"test-all-routes": False},
    Kind.SPEED_TEST: {},
}
_STARTED_ELSEWHERE = 0.04  # share of all commands
_COMMANDS_PER_DEVICE = 12

ACCOUNT = "{account}"
REQUESTERS = tuple(f"{{requester-{number:02}}}" for number in range(1, 13))
"""Placeholders for keys that only the database knows, the busiest requester first."""

type Row = Sequence[str | None]

COLUMNS = {
    "commands_run": "id account_id requested_by_id requested_at options devices purpose ticket reason form_key",
    "commands_command": (
        "id account_id run_id requested_by_id requested_at ticket started_elsewhere kind options device_id "
        "registration_id email device_name platform listed status status_at version reason_code send_alone "
        "missed_listings possible_match remote_id remote_status remote_created_at remote_completed_at match_uncertain"
    ),
    "commands_event": "id at event account_id run_id command_id version from_status to_status mover by_id data",
    "commands_artifact": (
        "id command_id status status_at filename deleted_remotely_at etag size sha256 stored_at reason_code "
        "remote_message attempts"
    ),
}
"""Tables in the order of loading, with the columns of their rows."""


@dataclass(frozen=True, slots=True)
class GeneratedDevice:
    device_id: str
    registration_id: str
    email: str
    name: str
    platform: str


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """Values that the commands of one run share. Without a run: a command that was started elsewhere."""

    at: datetime
    kind: Kind
    run_id: str | None = None
    requester: str | None = None
    ticket: str = ""


@dataclass(slots=True)
class HistoryGenerator:
    seed: int
    commands: int
    end: datetime
    random: Random = field(init=False)
    devices: list[GeneratedDevice] = field(init=False)
    _ids_used: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.devices = [self._device(number) for number in range(max(10, self.commands // _COMMANDS_PER_DEVICE))]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield (table, row), each run before its commands."""
        at = self.end - timedelta(days=DAYS)
        interval = timedelta(days=DAYS) / max(1, self.commands)
        remaining = self.commands
        while remaining:
            if self.random.random() < _STARTED_ELSEWHERE:
                yield from self._command_started_elsewhere(at)
                size = 1
            else:
                size = min(remaining, self._run_size())
                yield from self._run(at, size)
            remaining -= size
            at += interval * size

    def _device(self, number: int) -> GeneratedDevice:
        [(platform, prefix, _)] = self.random.choices(_PLATFORMS, [weight for *_, weight in _PLATFORMS])
        # Some people have several devices.
        person = number if self.random.random() < 0.7 else self.random.randrange(number + 1)
        email = f"{_FIRST[person % len(_FIRST)]}.{_LAST[person // len(_FIRST) % len(_LAST)]}{person}@example.com"
        return GeneratedDevice(self._uuid(), self._uuid(), email, f"{prefix}-{number:05}", platform)

    def _run_size(self) -> int:
        [largest] = self.random.choices((3, 12, 120), (90, 8, 2))
        return self.random.randint(1, largest)

    def _uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def _next_id(self, at: datetime) -> str:
        """Return an id of this time that is larger than the one before."""
        self._ids_used += 1
        return UUID(int=first_id(at).int | self._ids_used << 24 | self.random.getrandbits(24)).hex

    def _run(self, at: datetime, size: int) -> Iterator[tuple[str, Row]]:
        pick = self.random.choice
        [kind] = self.random.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])
        ticket = f"INC-{10_000 + self._ids_used // 12}" if self.random.random() < 0.85 else ""
        request = RequestFacts(at, kind, self._next_id(at), REQUESTERS[self._skewed_index(len(REQUESTERS))], ticket)
        purpose, reason, options = pick(_PURPOSES), pick(_REASONS), json.dumps({kind: _OPTIONS[kind]})
        key = UUID(int=self.random.getrandbits(128), version=4).hex
        yield (
            "commands_run",
            (request.run_id, ACCOUNT, request.requester, _time(at), options, str(size), purpose, ticket, reason, key),
        )
        devices = self.random.sample(self.devices, min(size, len(self.devices)))
        devices += [pick(self.devices) for _ in range(size - len(devices))]
        for device in devices:
            yield from self._command(request, device)

    def _command_started_elsewhere(self, at: datetime) -> Iterator[tuple[str, Row]]:
        yield from self._command(RequestFacts(at, Kind.WARP_DIAG), self.random.choice(self.devices))

    def _skewed_index(self, count: int) -> int:
        return min(count - 1, int(self.random.expovariate(3 / count)))

    def _command(self, request: RequestFacts, device: GeneratedDevice) -> Iterator[tuple[str, Row]]:
        choices = _FINAL_STATUSES if request.run_id else _FINAL_STATUSES[:2]
        [status] = self.random.choices([choice for choice, _ in choices], [weight for _, weight in choices])
        ended = request.at + timedelta(seconds=self.random.randint(40, 900))
        sent = status in _SENT_STATUSES
        remote = status.value if status in (Status.SUCCESS, Status.FAILED) else "PENDING_EXEC" if sent else ""
        id_, options = self._next_id(request.at), json.dumps(_OPTIONS[request.kind]) if request.run_id else "{}"
        yield (
            "commands_command",
            (
                *(id_, ACCOUNT, request.run_id, request.requester, _time(request.at), request.ticket),
                "0" if request.run_id else "1",
                *(request.kind.value, options, device.device_id, device.registration_id, device.email, device.name),
                *(device.platform, "1", status.value, _time(ended), "3", "", "0", "0", "0"),
                *(self._uuid() if sent else "", remote),
                *(_time(request.at) if sent else None, _time(ended) if sent else None, "0"),
            ),
        )
        yield from self._events(request, id_, ended, status)
        yield "commands_artifact", self._artifact(ended, id_, status)

    def _events(self, request: RequestFacts, id_: str, ended: datetime, status: Status) -> Iterator[tuple[str, Row]]:
        is_ours = request.run_id is not None
        between = Status.PENDING_EXEC if status in _SENT_STATUSES else Status.QUEUED
        first_mover, last_mover = Mover.PERSON if is_ours else Mover.CLOUDFLARE, _MOVERS.get(status, Mover.CLOUDFLARE)
        middle = request.at + (ended - request.at) / 20
        first = ("requested", "", Status.QUEUED) if is_ours else ("imported", "", between)
        lines = (
            (request.at, *first, first_mover, request.requester),
            (middle, "moved", Status.SENDING if is_ours else between, between, Mover.CLOUDFLARE, None),
            (ended, "moved", between, status, last_mover, request.requester if last_mover is Mover.PERSON else None),
        )
        for version, (at, event, source, target, by, person) in enumerate(lines, start=1):
            about = (event, ACCOUNT, request.run_id, id_, str(version))
            change = (str(source), str(target), str(by), person, "{}")
            yield "commands_event", (self._next_id(at), _time(at), *about, *change)

    def _artifact(self, ended: datetime, command_id: str, status: Status) -> Row:
        has_file = status is Status.SUCCESS
        size = str(int(self.random.lognormvariate(14, 1.2))) if has_file else None
        return (
            *(self._next_id(ended), command_id),
            *(ArtifactStatus.PURGED if has_file else ArtifactStatus.GONE, _time(ended)),
            *("capture.zip", _time(ended + timedelta(days=7)), "", size),
            *(f"{self.random.getrandbits(256):064x}" if has_file else "", _time(ended) if has_file else None),
            *("" if has_file else "not_found", "", "1"),
        )


_MOVERS = {
    Status.EXPIRED: Mover.PORTAL,
    Status.UNCONFIRMED: Mover.PORTAL,
    Status.WITHDRAWN: Mover.PERSON,
    Status.DECLINED: Mover.APPROVER,
}


def _time(at: datetime) -> str:
    """Format a UTC time without its zone: SQLite stores it so, and PostgreSQL reads it so in a session in UTC."""
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")
