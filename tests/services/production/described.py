"""What Dockerfile, .dockerignore and docker-compose.yml say, read as Docker reads them, as far as they use it.

It starts nothing and changes no word: the commands of a service are those of the file.
"""

import json
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Image:
    """The Dockerfile's instructions in order, comments left out and continued lines joined."""

    instructions: tuple[tuple[str, str], ...]

    def all(self, word: str) -> list[str]:
        return [rest for instruction, rest in self.instructions if instruction == word]

    def last_stage(self) -> "Image":
        begins = max(index for index, (word, _) in enumerate(self.instructions) if word == "FROM")
        return Image(self.instructions[begins:])

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for rest in self.last_stage().all("ENV") for pair in shlex.split(rest))

    @property
    def command(self) -> list[str]:
        words: list[str] = json.loads(self.last_stage().all("CMD")[-1])
        return words

    @property
    def probe(self) -> list[str]:
        words: list[str] = json.loads(self.last_stage().all("HEALTHCHECK")[-1].partition("CMD ")[2])
        return words

    def copied(self) -> list[str]:
        """What comes from the source tree."""
        return [rest.split()[0] for rest in self.all("COPY") if not rest.startswith("--from")]


def image() -> Image:
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines()]
    return Image(tuple((word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)))


def allowed() -> list[str]:
    """What .dockerignore lets in: it refuses everything first."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def build(folder: Path) -> None:
    """The files of the image's /app, as the COPY lines bring them."""
    for name in image().copied():
        source = ROOT / name
        assert name in allowed(), f"{name} is copied, but .dockerignore keeps it out"
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, folder)


@dataclass(frozen=True)
class Service:
    name: str
    words: list[str]
    environment: Mapping[str, str]
    probe: list[str]
    grace: float  # seconds between TERM and KILL
    depends_on: Mapping[str, str]
    raw: Mapping[str, Any]


def compose(given: Mapping[str, str]) -> dict[str, Service]:
    """The services, with the variables of `given` in place of ${…}."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = _filled_in(document["services"], given)
    return {name: _service(name, raw) for name, raw in services.items()}


def secrets() -> dict[str, str]:
    """The files that hold the secrets, by the names under which services ask for them."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {name: secret["file"] for name, secret in document["secrets"].items()}


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    ours = "build" in raw
    environment = {key: str(value) for key, value in raw.get("environment", {}).items()}
    probe = raw.get("healthcheck", {}).get("test", [])
    if probe[:1] == ["CMD"]:
        probe = probe[1:]
    elif probe[:1] == ["CMD-SHELL"]:
        probe = ["/bin/sh", "-c", probe[1]]
    elif ours and not raw.get("healthcheck", {}).get("disable"):
        probe = image().probe
    return Service(
        name,
        raw.get("command") or image().command,
        (image().environment if ours else {}) | environment,
        probe,
        _seconds(raw["stop_grace_period"]),
        {other: how["condition"] for other, how in raw.get("depends_on", {}).items()},
        raw,
    )


def _seconds(duration: str) -> float:
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found, duration
    minutes, seconds = found.groups("0")
    return int(minutes) * 60.0 + int(seconds)


def _filled_in(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled_in(inner, given) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled_in(inner, given) for inner in value]
    return re.sub(_VARIABLE, lambda found: _variable(found, given), value) if isinstance(value, str) else value


_VARIABLE = r"\$\$|\$\{(?P<name>\w+):(?P<how>[-?])(?P<words>[^}]*)\}"


def _variable(found: re.Match[str], given: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    if value := given.get(found["name"]):
        return value
    if found["how"] == "?":
        raise KeyError(f"{found['name']}: {found['words']}")
    return found["words"]
