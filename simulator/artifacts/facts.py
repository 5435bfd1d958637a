"""What the simulated world says about one command whose file is asked for. It must not know how a file is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Literal

Kind = Literal["pcap", "warp-diag", "speed-test"]
Platform = Literal["windows", "mac", "linux"]


@dataclass(frozen=True)
class ArtifactFacts:
    command_id: str
    kind: Kind
    device_id: str
    device_name: str
    platform: Platform
    client_version: str
    person_email: str
    seed: int
    started_at: datetime
    duration_seconds: float
    options: Mapping[str, object] = field(default_factory=dict)
    failed_interfaces: frozenset[str] = frozenset()

    def chance_of_command(self) -> Random:
        """Differs from run to run on one device: ports, sequence numbers, measured values."""
        return Random(f"{self.seed}/{self.command_id}")

    def chance_of_device(self) -> Random:
        """The same for every run on one device: addresses, model, installed programs."""
        return Random(f"{self.seed}/{self.device_id}")

    def interfaces(self) -> tuple[str, ...]:
        """The interfaces that were asked for: both, unless the options name some."""
        asked = self.options.get("interfaces")
        known = ("default", "tunnel")
        if not isinstance(asked, list | tuple) or not asked:
            return known
        return tuple(name for name in known if name in asked)
