"""Facts about one command and its device, from which its zip is built.

This module must not know how a file is built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Literal

Kind = Literal["pcap", "warp-diag", "speed-test"]
Platform = Literal["windows", "mac", "linux"]


@dataclass(frozen=True)
class ArtifactFacts:
    """Everything that the bytes of a zip depend on."""

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

    def command_rng(self) -> Random:
        """Return a generator for values that differ from command to command, such as ports and measurements."""
        return Random(f"{self.seed}/{self.command_id}")

    def device_rng(self) -> Random:
        """Return a generator for values that are the same for each command of a device, such as addresses."""
        return Random(f"{self.seed}/{self.device_id}")

    def interfaces(self) -> tuple[str, ...]:
        """Return the requested interfaces. Without the option these are both."""
        requested = self.options.get("interfaces")
        known = ("default", "tunnel")
        if not isinstance(requested, list | tuple) or not requested:
            return known
        return tuple(name for name in known if name in requested)
