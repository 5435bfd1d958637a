"""What all files of one WARP diag agree on. It owns the facts and their common spellings, no file's form."""

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
class Scene:
    facts: ArtifactFacts
    machine: Machine
    system: str
    model: str
    organization: str
    public_key: str
    handshake_seconds: int
    latency_ms: int
    chance: Random

    @classmethod
    def of(cls, facts: ArtifactFacts) -> "Scene":
        machine = Machine.of(facts)
        fixed, chance = facts.chance_of_device(), facts.chance_of_command()
        return cls(
            facts=facts,
            machine=machine,
            system=fixed.choice(_SYSTEMS[facts.platform]),
            model=fixed.choice(_MODELS[facts.platform]),
            organization=machine.domain.partition(".")[0],
            public_key=fixed.randbytes(32).hex(),
            handshake_seconds=chance.randint(4, 115),
            latency_ms=chance.randint(9, 38),
            chance=chance,
        )

    @property
    def now(self) -> datetime:
        """When the device finished collecting."""
        return self.facts.started_at.astimezone(UTC) + timedelta(seconds=self.facts.duration_seconds)


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def command_output(said: str, *, errors: str = "", status: int = 0) -> str:
    """The form in which the client keeps what a system command printed."""
    return f"stdout:\n{said.rstrip()}\n\nstderr:\n{errors}\n\nexit status: {status}\n"
