"""The services of docker-compose.yml as processes of this machine: their own words, in their own environment.

Only values of the environment are different, because a process here has neither a root folder nor an address of its
own: `Host.mapping` says how. PostgreSQL and Redis are not started from here, but by tests/servers.py.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from dexportal.run.supervisor import die_with_parent
from tests.polling import eventually
from tests.services.production.described import Service

KEPT = ("LANG", "TZ")


@dataclass(frozen=True)
class Host:
    """`folder` is the test's own; below it is what a container finds under the same path."""

    folder: Path
    web_port: int

    @property
    def app(self) -> Path:
        return self.folder / "app"

    def mapping(self, container: str) -> dict[str, str]:
        """What stands for what in values of the environment."""
        return {
            "/venv/bin": str(Path(sys.executable).parent),
            "/run/secrets": str(self.folder / "secrets"),
            "/var/lib/dexportal": str(self.folder / "files"),
            "/tmp": str(self.folder / container),  # each container has its own
            "0.0.0.0": "127.0.0.1",
        }

    def environment(self, service: Service, container: str) -> dict[str, str]:
        values = {name: os.environ[name] for name in KEPT if name in os.environ}
        values |= {"HOME": "/tmp", **service.environment, "GRANIAN_PORT": str(self.web_port)}
        here = self.mapping(container)
        there = re.compile("|".join(map(re.escape, here)))
        return {name: there.sub(lambda found: here[found[0]], value) for name, value in values.items()}


class Container:
    """One process of a service, from start to stop."""

    def __init__(self, service: Service, host: Host, *, number: int = 1) -> None:
        self.service = service
        self.name = f"{service.name}-{number}"
        (host.folder / self.name).mkdir(exist_ok=True)
        self.environment = host.environment(service, self.name)
        self.log = host.folder / self.name / "log"
        self.host = host
        parent = os.getpid()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                service.words,
                executable=_found(service.words[0], self.environment),
                cwd=host.app,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - two system calls, no lock
            )

    def run(self, words: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        """As `docker compose exec` does."""
        return run(words, self.host.app, self.environment | more)

    def is_healthy(self) -> bool:
        return self.run(self.service.probe).returncode == 0

    def wait_until_healthy(self, within: float) -> None:
        def look() -> bool | None:
            assert self.process.poll() is None, f"{self.name} ended:\n{self.said()}"
            return self.is_healthy() or None

        eventually(look, within=within, pause=0.5)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, within: float) -> int:
        return self.process.wait(within)

    def stop(self) -> float:
        """TERM, and the seconds that it took to end; TimeoutExpired when it outlives its grace."""
        begun = monotonic()
        self.process.terminate()
        self.process.wait(self.service.grace)
        return monotonic() - begun

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run(words: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        executable=_found(words[0], environment),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _found(program: str, environment: Mapping[str, str]) -> str:
    """On the PATH of the container, not on ours."""
    folders = environment["PATH"].split(os.pathsep)
    return next((path for folder in folders if os.access(path := f"{folder}/{program}", os.X_OK)), program)
