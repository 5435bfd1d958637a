"""One account with many devices, the simulator behind real HTTP, and a person who may run: what a benchmark stands on.

Owns the making of them, in a database that is empty and migrated. Measures nothing.
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

from commands.actions.sending import submit
from commands.actions.sending.submit import Target
from commands.audit import EventType
from commands.models import Account, Command, Device, Event, Run, User
from commands.rules.ids import new_id
from commands.rules.kinds import Kind, Options
from commands.rules.states import Mover
from tests.people import make_account, make_credential, make_person
from tests.simulator_process import running_simulator

PCAP: dict[Kind, Options] = {Kind.PCAP: {"time-limit-min": 5, "max-file-size-mb": 5, "packet-size-bytes": 160}}
ENOUGH = 10_000_000  # calls and commands: the limits of the upstream are no part of what is measured


class Simulator:
    """Its controls, and the commands' address of an account."""

    def __init__(self, base_url: str, control_url: str) -> None:
        self.base_url = base_url
        self._control_url = control_url

    def control(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._control_url}/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def latency(self, seconds: float, *, call: str) -> None:
        """Every such call takes so much longer."""
        rule = {"match": {"call": call}, "effect": {"kind": "latency", "seconds": seconds}}
        self.control("PUT", "faults", {"rules": [rule]})

    def posts(self) -> int:
        return len(self.control("GET", "ledger")["posts"])

    def commands_url(self, cloudflare_id: str) -> str:
        return f"{self.base_url}/accounts/{cloudflare_id}/dex/commands"


@contextmanager
def simulator(*, people: int, accounts: int = 1, speed: float = 1.0) -> Iterator[Simulator]:
    """At speed 1 a capture takes minutes, so that what is open stays open; settings point to it meanwhile."""
    words = ["--people", str(people), "--accounts", str(accounts)]
    with running_simulator(speed=speed, extra_args=words) as process:
        made = Simulator(process.base_url, process.control_url)
        config = made.control("GET", "config")
        without_limits = [{**account, "quota": ENOUGH} for account in config["accounts"]]
        made.control("PUT", "config", {"accounts": without_limits, "rate_limit": ENOUGH})
        with override_settings(UPSTREAM=replace(settings.UPSTREAM, url=process.base_url), RATE_CALLS=ENOUGH):
            yield made


@dataclass(frozen=True)
class Company:
    simulator: Simulator
    account: Account
    token: str
    person: User
    devices: Sequence[Device]

    def targets(self, number: int) -> list[Target]:
        return [
            Target(one.device_id, one.email, one.registration_id, one.name, one.platform, listed=True)
            for one in self.devices[:number]
        ]

    def ask(self, number: int, *, first: int = 0) -> list[Command]:
        """A capture on each of so many devices, as a run of its own."""
        targets = self.targets(first + number)[first:]
        made = submit.ask(
            account=self.account, by=self.person, now=now(), form_key=uuid4(), options=PCAP, targets=targets
        )
        return list(made.commands.order_by("id"))


@contextmanager
def company(devices: int) -> Iterator[Company]:
    with simulator(people=max(20, devices)) as upstream:
        told = upstream.control("GET", "config")["accounts"][0]
        credential = make_credential("Simulator", value=told["token"])
        account = make_account("Acme", cloudflare_id=told["account_id"], credential=credential)
        listed = add_devices(account, upstream.control("GET", "world")["devices"])
        yield Company(upstream, account, told["token"], make_person("helpdesk", "helpdesk"), listed[:devices])


def add_devices(account: Account, world: Iterable[dict[str, Any]]) -> list[Device]:
    """Every registration of the account, as the directory keeps it; returns one a machine, of those that take commands.

    `world` is what the simulator's control of that name tells.
    """
    rows = [row for row in world if row["account_id"] == account.cloudflare_id]
    at = now()
    made = Device.objects.bulk_create(
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
    alone: dict[str, list[Device]] = {}
    for device in made:
        alone.setdefault(device.device_id, []).append(device)
    return [rows[0] for rows in alone.values() if len(rows) == 1 and rows[0].eligible]


def now() -> datetime:
    return datetime.now(UTC)


def copies(commands: Sequence[Command], run_of: Run) -> tuple[list[Command], list[Event]]:
    """The same rows and Events once more under another run: what a bare bulk insert is given."""
    rows = [_copy(one, run_of) for one in commands]
    return rows, [event_of(one, EventType.REQUESTED) for one in rows]


def _copy(command: Command, run_of: Run) -> Command:
    values = {field.attname: getattr(command, field.attname) for field in Command._meta.concrete_fields}
    return Command(**{**values, "id": new_id(command.requested_at), "run_id": run_of.id})


def event_of(command: Command, event: EventType, **values: Any) -> Event:
    given: dict[str, Any] = {
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
    return Event(**{**given, **values})


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
    """The options of PCAP under the names of the form's fields."""
    return {f"{kind.value}-{name}": str(value) for kind, chosen in PCAP.items() for name, value in chosen.items()}
