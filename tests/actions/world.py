"""Small company for the tests of actions: the portal's rows, the simulator behind real HTTP, and one clock.

The clock is moved by hand for the caller, the database and Cloudflare alike. Tests reach a state through the portal's
actions. They then check the portal's rows or the simulator's ledger.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any
from uuid import uuid4

import pytest

from commands import clock
from commands.actions import settle as reconcile
from commands.actions.listing import schedule
from commands.actions.listing.sync import sync
from commands.actions.results.fetch import collect
from commands.actions.sending.deliver import deliver
from commands.actions.sending.submit import Submitted, submit_run
from commands.actions.upstream import directory, rate_limit
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.types import Call
from commands.models import Account, AccountSync, Artifact, Command, Device, Dispatch, Event, Pause, User
from commands.rules.kinds import Kind, Options
from commands.rules.targeting import Target
from simulator.clock import Clock
from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN
from simulator.presence import ALWAYS
from tests.people import make_account, make_credential, make_person
from tests.simulator.in_process import LocalSimulator

PCAP: Mapping[Kind, Options] = {Kind.PCAP: {"time-limit-min": 1, "max-file-size-mb": 5, "packet-size-bytes": 160}}
DIAG: Mapping[Kind, Options] = {Kind.WARP_DIAG: {"test-all-routes": False}}
BOTH: Mapping[Kind, Options] = {**PCAP, **DIAG}
QUICK_END = 3600.0  # seconds in which every command of a connected device ends


class MovedClock(Clock):
    """Clock that a test moves. Each look adds a millisecond, however fast the machine is."""

    TICK = 0.001

    def __init__(self) -> None:
        self._ticking = Lock()
        self.start()
        super().__init__(self.tick)

    def start(self) -> None:
        self.at = time.time()

    def forward(self, seconds: float) -> None:
        with self._ticking:
            self.at += seconds

    def tick(self) -> float:
        with self._ticking:
            self.at += self.TICK
            return self.at


class World:
    """Portal and simulator of one test. `upstream` is the running simulator, `clock` the clock of all."""

    def __init__(self, upstream: LocalSimulator, clock: MovedClock) -> None:
        self.upstream = upstream
        self.clock = clock

    # --- time ---

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.tick(), UTC)

    def forward(self, seconds: float = 0, **duration: float) -> None:
        self.clock.forward(seconds + timedelta(**duration).total_seconds())

    # --- account, person, devices ---

    @cached_property
    def account(self) -> Account:
        credential = make_credential("Simulator", value=DEFAULT_TOKEN)
        return make_account("Acme", cloudflare_id=DEFAULT_ACCOUNT_ID, credential=credential)

    @cached_property
    def person(self) -> User:
        return make_person("helpdesk", "helpdesk")

    @cached_property
    def devices(self) -> list[Device]:
        """Eligible, connected and healthy devices of the directory, one row for each machine."""
        directory.refresh(self.account, now=self.now)
        healthy = [row["registrationId"] for row in self.upstream.devices()]
        rows = Device.objects.filter(account=self.account, registration_id__in=healthy).order_by("device_id")
        return list({row.device_id: row for row in rows}.values())

    def device(self, platform: str = "mac") -> Device:
        return next(device for device in self.devices if device.platform == platform)

    def targets(self, devices: Iterable[Device]) -> list[Target]:
        return [
            Target(device.device_id, device.email, device.registration_id, device.name, device.platform, listed=True)
            for device in devices
        ]

    # --- actions ---

    def request(
        self,
        options: Mapping[Kind, Options] = PCAP,
        *,
        devices: Iterable[Device] | None = None,
        targets: Iterable[Target] = (),
        **rest: Any,
    ) -> list[Command]:
        """Request a run and return its commands in order. The target is the first Mac unless others are given."""
        aimed = [*self.targets(devices or []), *targets] or self.targets([self.device()])
        result = submit_run(
            account=self.account,
            by=self.person,
            now=self.now,
            kinds=options,
            targets=aimed,
            **{"key": uuid4(), "ticket": "HD-1", "reason": "the portal is slow", **rest},
        )
        assert isinstance(result, Submitted), result
        return list(result.run.commands.order_by("id"))

    def deliver(self) -> bool:
        self.account.refresh_from_db()
        return deliver(self.account, now=self.now)

    def sent(self, **rest: Any) -> Command:
        """Return a capture that Cloudflare has accepted."""
        (command,) = self.request(**rest)
        assert self.deliver()
        return self.reload(command)

    def sync(self, *, complete: bool = False) -> bool:
        """Sync the account now, even if the rate limit would delay it. `complete` lists every page."""
        AccountSync.objects.filter(account=self.account).update(not_before=None)
        schedule.schedule_listing_by(self.account.id, at=self.now, complete=complete)
        return sync(self.account, now=self.now)

    def use_up(self, call: Call) -> None:
        """Spend all calls of this sort that the rate limit allows now."""
        assert self.account.credential_id is not None
        with suppress(NotNow):
            while True:
                rate_limit.spend(self.account.credential_id, call)

    def settle(self) -> int:
        return reconcile.settle(now=self.now)

    def collect(self, *, is_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Download one file, if one is due."""
        return collect(now=lambda: self.now, is_wanted=is_wanted)

    def past_the_lease(self) -> None:
        """Let the lease of a POST run out, as after the death of its worker, and settle."""
        self.forward(seconds=61)
        self.settle()

    # --- state ---

    def reload(self, command: Command) -> Command:
        """Read a command from the database."""
        return Command.objects.select_related("dispatch").get(id=command.id)

    def status(self, command: Command) -> str:
        return self.reload(command).status

    def history(self, command: Command) -> list[Event]:
        return list(Event.objects.filter(command=command).order_by("version"))

    def story(self, command: Command) -> list[str]:
        """Return the command's Events in order: the new status, or the type of any other Event."""
        return [event.to_status or event.event for event in self.history(command)]

    def dispatches(self) -> list[Dispatch]:
        return list(Dispatch.objects.order_by("id"))

    def artifact(self, command: Command) -> Artifact:
        return Artifact.objects.select_related("command__account__credential").get(command=command)

    def pauses(self) -> dict[str, Pause]:
        return {pause.operation: pause for pause in Pause.objects.all()}

    def sync_row(self) -> AccountSync:
        return AccountSync.objects.get(account=self.account)

    # --- Cloudflare's side ---

    def everybody_stays(self) -> None:
        """Keep every device connected until the simulator is reset, so that later listings show as many."""
        worlds = self.upstream.sim.worlds
        for account_id, company in worlds.items():
            steady = tuple(replace(device, presence=ALWAYS) for device in company.devices)
            worlds[account_id] = replace(company, devices=steady)

    def fault(self, kind: str, *, call: str = "create", nth: int = 0, **parameters: object) -> None:
        self.upstream.fault(kind, call=call, nth=nth, **parameters)

    def faults(self, *rules: Mapping[str, object]) -> None:
        self.upstream.control("PUT", "faults", {"rules": list(rules)})

    def heal(self) -> None:
        self.faults()

    def configure(self, **changes: object) -> None:
        self.upstream.control("PUT", "config", changes)

    def posts(self) -> list[dict[str, Any]]:
        return list(self.upstream.ledger()["posts"])

    def created(self) -> list[dict[str, Any]]:
        """Return every command that Cloudflare ever created, oldest first."""
        return list(self.upstream.ledger()["commands"])

    def created_for(self, command: Command) -> list[dict[str, Any]]:
        return [
            row
            for row in self.created()
            if (row["device_id"], row["kind"]) == (command.device_id, command.kind) and not row["foreign"]
        ]

    def foreign(self, device: Device, kind: str = "pcap") -> str:
        """Start a command in Cloudflare's dashboard and return its id."""
        body = {"device_id": device.device_id, "registration_id": device.registration_id, "kind": kind}
        return str(self.upstream.control("POST", "foreign", body)["id"])


def moved_database_clock(world: World, patch: pytest.MonkeyPatch) -> None:
    """Let the database's clock show the time of the world."""
    patch.setattr(clock, "database_now", lambda: world.now)


def refusal(call: str, status: int = 403, **match: object) -> dict[str, object]:
    """Return a fault rule by which Cloudflare refuses this call until the rule is removed."""
    code = {401: 10000, 403: 10000, 404: 7003}.get(status, 1000)
    return {"match": {"call": call, **match}, "effect": {"kind": "error", "status": status, "code": code}}
