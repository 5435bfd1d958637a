"""Values and formats that all files of one WARP diag share, so that the files agree.

This module must not know any single file.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from simulator.artifacts.facts import ArtifactFacts, Platform
from simulator.artifacts.machine import Machine

_SYSTEMS: dict[Platform, tuple[str, ...]] = {
    "windows": ("Microsoft Windows 11 Pro 10.0.26100", "Microsoft Windows 11 Enterprise 10.0.26200"),
    "mac": ("macOS 15.6.1 24G90", "macOS 26.1 25B78"),
    "linux": ("Ubuntu 24.04.3 LTS 6.8.0-87-generic", "Debian GNU/Linux 13 (trixie) 6.12.48+deb13-amd64"),
}
_MODELS: dict[Platform, tuple[str, ...]] = {
    "windows": ("Latitude 5450", "ThinkPad T14 Gen 5", "EliteBook 845 G11"),
    "mac": ("Mac15,3", "Mac16,12", "MacBookPro18,3"),
    "linux": ("ThinkPad X1 Carbon Gen 12", "XPS 13 9345"),
}


@dataclass(frozen=True)
class DiagContext:
    """Facts about one command, and the values derived from them."""

    facts: ArtifactFacts
    machine: Machine
    system: str
    model: str
    organization: str
    public_key: str
    handshake_seconds: int
    latency_ms: int
    rng: Random

    @classmethod
    def from_facts(cls, facts: ArtifactFacts) -> "DiagContext":
        machine = Machine.from_facts(facts)
        device_rng, rng = facts.device_rng(), facts.command_rng()
        return cls(
            facts=facts,
            machine=machine,
            system=device_rng.choice(_SYSTEMS[facts.platform]),
            model=device_rng.choice(_MODELS[facts.platform]),
            organization=machine.domain.partition(".")[0],
            public_key=device_rng.randbytes(32).hex(),
            handshake_seconds=rng.randint(4, 115),
            latency_ms=rng.randint(9, 38),
            rng=rng,
        )

    @property
    def now(self) -> datetime:
        """Instant at which the device finished collecting."""
        return self.facts.started_at.astimezone(UTC) + timedelta(seconds=self.facts.duration_seconds)


def log_timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def command_output(stdout: str, *, errors: str = "", status: int = 0) -> str:
    """Format the output of a system command as the client stores it in a diag."""
    return f"stdout:\n{stdout.rstrip()}\n\nstderr:\n{errors}\n\nexit status: {status}\n"
