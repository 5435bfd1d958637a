"""Dockerfile, .dockerignore and docker-compose.yml, parsed as Docker does, as far as these files need it.

This module must not start anything, and must not change the commands of the services.
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
    """Instructions of the Dockerfile in order, without comments and with continued lines joined."""

    instructions: tuple[tuple[str, str], ...]

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.instructions if name == instruction]

    def last_stage(self) -> "Image":
        begins = max(index for index, (name, _) in enumerate(self.instructions) if name == "FROM")
        return Image(self.instructions[begins:])

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for rest in self.last_stage().all("ENV") for pair in shlex.split(rest))

    @property
    def command(self) -> list[str]:
        command: list[str] = json.loads(self.last_stage().all("CMD")[-1])
        return command

    @property
    def health_check(self) -> list[str]:
        command: list[str] = json.loads(self.last_stage().all("HEALTHCHECK")[-1].partition("CMD ")[2])
        return command

    def copied(self) -> list[str]:
        """Return the paths that are copied from the source tree."""
        return [rest.split()[0] for rest in self.all("COPY") if not rest.startswith("--from")]


def image() -> Image:
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines()]
    return Image(tuple((name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)))


def included_paths() -> list[str]:
    """Return the paths that .dockerignore includes, after excluding everything."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def build(folder: Path) -> None:
    """Copy the files of the image's /app, following the COPY instructions."""
    for name in image().copied():
        source = ROOT / name
        assert name in included_paths(), f"{name} is copied, but .dockerignore excludes it"
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, folder)


@dataclass(frozen=True)
class Service:
    name: str
    command: list[str]
    environment: Mapping[str, str]
    health_check: list[str]
    grace: float  # seconds between TERM and KILL
    depends_on: Mapping[str, str]
    raw: Mapping[str, Any]


def compose(variables: Mapping[str, str]) -> dict[str, Service]:
    """Return the services, with these variables substituted."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = _substitute(document["services"], variables)
    return {name: _service(name, raw) for name, raw in services.items()}


def secrets() -> dict[str, str]:
    """Return the files of the secrets, by the names that the services use."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {name: secret["file"] for name, secret in document["secrets"].items()}


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    is_ours = "build" in raw
    environment = {key: str(value) for key, value in raw.get("environment", {}).items()}
    health_check = raw.get("healthcheck", {}).get("test", [])
    if health_check[:1] == ["CMD"]:
        health_check = health_check[1:]
    elif health_check[:1] == ["CMD-SHELL"]:
        health_check = ["/bin/sh", "-c", health_check[1]]
    elif is_ours and not raw.get("healthcheck", {}).get("disable"):
        health_check = image().health_check
    return Service(
        name,
        raw.get("command") or image().command,
        (image().environment if is_ours else {}) | environment,
        health_check,
        _seconds(raw["stop_grace_period"]),
        {other: dependency["condition"] for other, dependency in raw.get("depends_on", {}).items()},
        raw,
    )


def _seconds(duration: str) -> float:
    match = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert match, duration
    minutes, seconds = match.groups("0")
    return int(minutes) * 60.0 + int(seconds)


def _substitute(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substitute(inner, variables) for inner in value]
    return re.sub(_VARIABLE, lambda match: _variable(match, variables), value) if isinstance(value, str) else value


_VARIABLE = r"\$\$|\$\{(?P<name>\w+):(?P<operator>[-?])(?P<text>[^}]*)\}"


def _variable(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    if value := variables.get(match["name"]):
        return value
    if match["operator"] == "?":
        raise KeyError(f"{match['name']}: {match['text']}")
    return match["text"]
