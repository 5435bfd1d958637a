"""Services of docker-compose.yml as local processes, with the commands and the environment of the file.

Only paths and addresses in the environment differ, because a local process has neither a root folder nor an address of
its own (see `Host.replacements`). tests/servers.py starts PostgreSQL and Redis instead.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dexportal.run.supervisor import die_with_parent
from tests.polling import MAX_WAIT, eventually
from tests.services.production.docker_files import Service

PASSED_THROUGH = ("LANG", "TZ")


@dataclass(frozen=True)
class Host:
    """Folder of one test. Files of the containers lie below it under the same paths."""

    folder: Path
    web_port: int

    @property
    def app(self) -> Path:
        return self.folder / "app"

    def replacements(self, container: str) -> dict[str, str]:
        """Return the local values of paths and addresses in the container's environment."""
        return {
            "/venv/bin": str(Path(sys.executable).parent),
            "/run/secrets": str(self.folder / "secrets"),
            "/var/lib/dexportal": str(self.folder / "files"),
            "/tmp": str(self.folder / container),  # one per container
            "0.0.0.0": "127.0.0.1",
        }

    def environment(self, service: Service, container: str) -> dict[str, str]:
        values = {name: os.environ[name] for name in PASSED_THROUGH if name in os.environ}
        values |= {"HOME": "/tmp", **service.environment, "WEB_PORT": str(self.web_port)}
        values_by_path = self.replacements(container)
        pattern = re.compile("|".join(map(re.escape, values_by_path)))
        return {name: pattern.sub(lambda match: values_by_path[match[0]], value) for name, value in values.items()}


class Container:
    """One process of a service."""

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
                service.command,
                executable=_find_program(service.command[0], self.environment),
                cwd=host.app,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - two system calls, no lock
            )

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container's environment, like `docker compose exec`."""
        return run(command, self.host.app, self.environment | variables)

    def is_healthy(self) -> bool:
        return self.run(self.service.health_check).returncode == 0

    def wait_until_healthy(self, within: float) -> None:
        def look() -> bool | None:
            assert self.process.poll() is None, f"{self.name} ended:\n{self.output()}"
            return self.is_healthy() or None

        eventually(look, within=within, pause=0.5)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, within: float) -> int:
        return self.process.wait(within)

    def stop(self) -> int:
        """Send SIGTERM, and return the exit status. `test_docker_files.py` says how long the grace period must be."""
        self.process.terminate()
        return self.process.wait(MAX_WAIT)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        executable=_find_program(command[0], environment),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=MAX_WAIT,
        check=False,
    )


def _find_program(program: str, environment: Mapping[str, str]) -> str:
    """Find the program on the PATH of the container, which differs from ours."""
    folders = environment["PATH"].split(os.pathsep)
    return next((path for folder in folders if os.access(path := f"{folder}/{program}", os.X_OK)), program)
