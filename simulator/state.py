"""State of one simulator: configuration, companies, ledger and counters.

This module must not know HTTP.
"""

from __future__ import annotations

import uuid
from functools import lru_cache
from random import Random

from simulator.artifact_cache import ArtifactCache
from simulator.auth import Credentials
from simulator.clock import Clock
from simulator.config import Config
from simulator.faults import Faults
from simulator.ledger import Command, Ledger
from simulator.lifecycle import PENDING_EXEC, Job, LifecycleSettings, Options, Timeline, plan_timeline, status_at
from simulator.limits import Quotas, RateLimits
from simulator.world import Device, World, build_world


class Simulator:
    """Simulated Cloudflare: `configure` builds the companies, `reset` forgets the events."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.first_config = config
        self.clock = clock or Clock()
        self.reset()
        self.configure(config)

    def reset(self) -> None:
        """Forget commands, POSTs, usage and faults. Keep the configuration."""
        self.ledger = Ledger()
        self.quotas = Quotas()
        self.rate_limits = RateLimits()
        self.faults = Faults()

    def configure(self, config: Config) -> None:
        """Apply a configuration. Keep the ledger and the counters."""
        self.config = config
        self.clock.offset = config.clock_offset
        self.credentials = Credentials(config.accounts)
        self.accounts = {account.account_id: account for account in config.accounts}
        self.worlds = {
            account_id: _world(account_id, first=number == 0, seed=config.seed, people=config.people)
            for number, account_id in enumerate(self.accounts)
        }
        self.artifact_cache = ArtifactCache(config.artifact_cache_bytes)
        self.rng = Random(config.seed)

    @property
    def speed(self) -> float:
        return self.config.speed

    def to_real_seconds(self, simulated_seconds: float) -> float:
        return simulated_seconds / self.config.speed

    def create(self, device: Device, kind: str, options: Options, *, at: float, post_id: str = "") -> Command:
        """Create a command, add it to the ledger and count it in the quota. Without `post_id` it is foreign."""
        command = self.new_command(device, kind, options, at=at, post_id=post_id)
        self.ledger.add(command)
        self.quotas.use(device.account_id, at, self.to_real_seconds(self.config.quota_day), 1)
        return command

    def new_command(
        self, device: Device, kind: str, options: Options, *, at: float, post_id: str = "", busy: bool | None = None
    ) -> Command:
        """Build a command with its whole timeline, without adding it to the ledger.

        `busy` None: look for a running capture on the same machine.
        """
        # not from the seed: a client's database may outlive this process, so that ids must not repeat after a restart
        command_id = uuid.uuid4()
        if busy is None:
            busy = self._is_busy(device, kind, at)
        job = Job(device, kind, options, at, command_id.int & 0xFFFFFFFF, busy)
        timeline = plan_timeline(job, self._lifecycle_settings())
        return Command(str(command_id), device, kind, options, at, timeline, post_id, foreign=not post_id)

    def _lifecycle_settings(self) -> LifecycleSettings:
        config = self.config
        return LifecycleSettings(config.speed, config.offline_timeout, config.failure_share)

    def _is_busy(self, device: Device, kind: str, at: float) -> bool:
        """Check whether another capture runs on this machine. Windows runs one at a time."""
        captures = self.config.windows_captures
        if device.platform != "windows" or kind not in captures:
            return False
        earlier = self.ledger.commands_of_device(device.account_id, device.device_id)
        # the latest 50 are enough to find a running capture, and a device may have thousands of commands
        return any(row.kind in captures and _occupies(row.timeline, at) for row in earlier[-50:])

    def expires_at(self, command: Command) -> float:
        return command.timeline.ends_at + self.to_real_seconds(self.config.expiry)


def _occupies(timeline: Timeline, at: float) -> bool:
    """Check whether a capture occupies its machine: from its creation until its upload begins, or until it fails."""
    return status_at(timeline, at) == PENDING_EXEC


@lru_cache(maxsize=64)
def _world(account_id: str, *, first: bool, seed: int, people: int) -> World:
    """Build the company of an account. The first one uses example.com, each other one a subdomain of it.

    Cached, because every change of the configuration needs all companies again.
    """
    domain = "example.com" if first else f"{account_id[:8].lower()}.example.com"
    return build_world(account_id, seed=seed, people=people, domain=domain)
