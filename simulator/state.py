"""One running world: its configuration, companies, ledger and counters. Owns no protocol."""

from __future__ import annotations

import uuid
from functools import lru_cache
from random import Random

from simulator.auth import Credentials
from simulator.clock import Clock
from simulator.config import Config
from simulator.faults import Faults
from simulator.ledger import Command, Ledger
from simulator.life import PENDING_EXEC, Job, Options, Terms, Timeline, plan, status_at
from simulator.limits import Quotas, RateLimits
from simulator.shelf import Shelf
from simulator.world import Device, World, build_world


class Simulator:
    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.first_config = config
        self.clock = clock or Clock()
        self.reset()
        self.configure(config)

    def reset(self) -> None:
        """Forgets what happened; the configuration stays."""
        self.ledger = Ledger()
        self.quotas = Quotas()
        self.rate_limits = RateLimits()
        self.faults = Faults()

    def configure(self, config: Config) -> None:
        self.config = config
        self.clock.offset = config.clock_offset
        self.credentials = Credentials(config.accounts)
        self.accounts = {account.account_id: account for account in config.accounts}
        self.worlds = {
            account_id: _world(account_id, first=number == 0, seed=config.seed, people=config.people)
            for number, account_id in enumerate(self.accounts)
        }
        self.shelf = Shelf(config.artifact_cache_bytes)
        self.rng = Random(config.seed)

    @property
    def speed(self) -> float:
        return self.config.speed

    def real(self, simulated_seconds: float) -> float:
        return simulated_seconds / self.config.speed

    def create(self, device: Device, kind: str, options: Options, *, at: float, post_id: str = "") -> Command:
        """One command, in the ledger and in the usage. Without a `post_id` it is a foreign one."""
        command = self.new_command(device, kind, options, at=at, post_id=post_id)
        self.ledger.add(command)
        self.quotas.use(device.account_id, at, self.real(self.config.quota_day), 1)
        return command

    def new_command(
        self, device: Device, kind: str, options: Options, *, at: float, post_id: str = "", busy: bool | None = None
    ) -> Command:
        """Planned to its end. Ids never repeat, not even after a restart with the same seed: a client's database
        may outlive this process."""
        command_id = uuid.uuid4()
        if busy is None:
            busy = self._is_busy(device, kind, at)
        job = Job(device, kind, options, at, command_id.int & 0xFFFFFFFF, busy)
        timeline = plan(job, self.terms())
        return Command(str(command_id), device, kind, options, at, timeline, post_id, foreign=not post_id)

    def terms(self) -> Terms:
        config = self.config
        return Terms(config.speed, config.offline_timeout, config.failure_share)

    def _is_busy(self, device: Device, kind: str, at: float) -> bool:
        """Windows runs one capture at a time."""
        captures = self.config.windows_captures
        if device.platform != "windows" or kind not in captures:
            return False
        earlier = self.ledger.of_device(device.account_id, device.device_id)
        return any(row.kind in captures and _occupies(row.timeline, at) for row in earlier[-50:])

    def expires_at(self, command: Command) -> float:
        return command.timeline.ends_at + self.real(self.config.expiry)


def _occupies(timeline: Timeline, at: float) -> bool:
    """A capture that is yet to begin has its machine too; one that failed has let go of it."""
    return status_at(timeline, at) == PENDING_EXEC


@lru_cache(maxsize=64)
def _world(account_id: str, *, first: bool, seed: int, people: int) -> World:
    """The first account's people are at example.com, the others' at a domain of their own below it."""
    domain = "example.com" if first else f"{account_id[:8].lower()}.example.com"
    return build_world(account_id, seed=seed, people=people, domain=domain)
