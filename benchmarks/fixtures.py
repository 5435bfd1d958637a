"""Fixtures of the benchmarks: an account with many devices, the simulator over real HTTP, and a person who may run.

They need an empty, migrated database. This module must not measure anything.
"""

import json
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.test import override_settings

from commands.actions.sending.submit import Submitted, submit_run
from commands.models import Account, Command, Device, Event, Run, User
from commands.rules.events import EventType
from commands.rules.ids import new_id
from commands.rules.kinds import Kind, Options
from commands.rules.states import Mover
from commands.rules.targeting import Target
from tests.people import make_account, make_credential, make_person
from tests.simulator_process import running_simulator

PCAP: dict[Kind, Options] = {Kind.PCAP: {"time-limit-min": 5, "max-file-size-mb": 5, "packet-size-bytes": 160}}
UNLIMITED = 10_000_000  # calls and commands: limits of the upstream must not slow a benchmark down


class SimulatorClient:
    """Calls to the simulator's controls, and the address of an account's commands."""

    def __init__(self, base_url: str, control_url: str) -> None:
        self.base_url = base_url
        self._control_url = control_url

    def control(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._control_url}/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)

    def set_latency(self, seconds: float, *, call: str) -> None:
        """Delay every call of this type by so many seconds."""
        rule = {"match": {"call": call}, "effect": {"kind": "latency", "seconds": seconds}}
        self.control("PUT", "faults", {"rules": [rule]})

    def count_posts(self) -> int:
        return len(self.control("GET", "ledger")["posts"])

    def commands_url(self, cloudflare_id: str) -> str:
        return f"{self.base_url}/accounts/{cloudflare_id}/dex/commands"


@contextmanager
def simulator(*, people: int, accounts: int = 1, speed: float = 1.0) -> Iterator[SimulatorClient]:
    """Start a simulator without limits, and point the settings to it.

    At speed 1 a capture takes minutes, so that open commands stay open during a benchmark.
    """
    arguments = ["--people", str(people), "--accounts", str(accounts)]
    with running_simulator(speed=speed, extra_args=arguments) as process:
        client = SimulatorClient(process.base_url, process.control_url)
        config = client.control("GET", "config")
        without_limits = [{**account, "quota": UNLIMITED} for account in config["accounts"]]
        client.control("PUT", "config", {"accounts": without_limits, "rate_limit": UNLIMITED})
        with override_settings(UPSTREAM=replace(settings.UPSTREAM, url=process.base_url), RATE_CALLS=UNLIMITED):
            yield client


@dataclass(frozen=True)
class AccountSetup:
    simulator: SimulatorClient
    account: Account
    token: str
    person: User
    devices: Sequence[Device]

    def targets(self, number: int) -> list[Target]:
        return [
            Target(device.device_id, device.email, device.registration_id, device.name, device.platform, listed=True)
            for device in self.devices[:number]
        ]

    def submit(self, number: int, *, first: int = 0) -> list[Command]:
        """Submit a run with a capture on each of `number` devices, and return its commands."""
        targets = self.targets(first + number)[first:]
        result = submit_run(account=self.account, by=self.person, key=uuid4(), targets=targets, kinds=PCAP, now=now())
        assert isinstance(result, Submitted), result
        return list(result.run.commands.order_by("id"))


@contextmanager
def account_setup(devices: int) -> Iterator[AccountSetup]:
    with simulator(people=max(20, devices)) as upstream:
        config = upstream.control("GET", "config")["accounts"][0]
        credential = make_credential("Simulator", value=config["token"])
        account = make_account("Acme", cloudflare_id=config["account_id"], credential=credential)
        listed = add_devices(account, upstream.control("GET", "world")["devices"])
        yield AccountSetup(upstream, account, config["token"], make_person("helpdesk", "helpdesk"), listed[:devices])


def add_devices(account: Account, world: Iterable[dict[str, Any]]) -> list[Device]:
    """Create a row for each registration of the account, and return the eligible devices with a single registration.

    `world` holds the devices that the simulator's `world` control returns.
    """
    rows = [row for row in world if row["account_id"] == account.cloudflare_id]
    at = now()
    devices = Device.objects.bulk_create(
        [
            Device(
                account=account,
                device_id=row["device_id"],
                registration_id=row["registration_id"],
                email=row["person_email"],
                name=row["device_name"],
                platform=row["platform"],
                client_version=row["version"],
                connection="connected",
                eligible=row["eligible"],
                seen_at=at,
                listed_at=at,
            )
            for row in rows
        ],
        batch_size=500,
    )
    by_device: dict[str, list[Device]] = {}
    for device in devices:
        by_device.setdefault(device.device_id, []).append(device)
    return [rows[0] for rows in by_device.values() if len(rows) == 1 and rows[0].eligible]


def now() -> datetime:
    return datetime.now(UTC)


def copy_commands(commands: Sequence[Command], new_run: Run) -> tuple[list[Command], list[Event]]:
    """Copy the commands into another run, and make an Event for each: the objects for a bare bulk insert."""
    rows = [_copy(command, new_run) for command in commands]
    return rows, [make_event(row, EventType.REQUESTED) for row in rows]


def _copy(command: Command, new_run: Run) -> Command:
    values = {field.attname: getattr(command, field.attname) for field in Command._meta.concrete_fields}
    return Command(**{**values, "id": new_id(command.requested_at), "run_id": new_run.id})


def make_event(command: Command, event: EventType, **values: Any) -> Event:
    defaults: dict[str, Any] = {
        "id": new_id(command.requested_at),
        "at": command.requested_at,
        "event": event,
        "account_id": command.account_id,
        "run_id": command.run_id,
        "command_id": command.id,
        "version": command.version,
        "to_status": command.status,
        "mover": Mover.PERSON,
        "by_id": command.requested_by_id,
        "data": {},
    }
    return Event(**{**defaults, **values})


def empty_run(account: Account, person: User, devices: int) -> Run:
    at = now()
    return Run.objects.create(
        id=new_id(at),
        account=account,
        requested_by=person,
        requested_at=at,
        options={},
        devices=devices,
        form_key=uuid4(),
    )


def option_fields() -> dict[str, str]:
    """Return the options of PCAP under the field names of the form."""
    return {f"{kind.value}-{name}": str(value) for kind, chosen in PCAP.items() for name, value in chosen.items()}
