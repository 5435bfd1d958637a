"""Complete production portal on this machine: all services, PostgreSQL, Redis, and a simulator in Cloudflare's place.

It follows docker-compose.yml and docs/production.md, and must not know how the portal works inside.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests import servers
from tests.polling import MAX_WAIT
from tests.services.production import docker_files
from tests.services.production.containers import Container, Host, run
from tests.services.production.relay import Relay, relay
from tests.services.production.user_session import UserSession
from tests.simulator_process import SimulatorProcess, running_simulator

PUBLIC_URL = "https://dex.example.com"
PASSWORD = "an-invented-password-of-this-test"
SERVICES = {"web": 1, "worker-talk": 2, "worker-fetch": 2, "beat": 1}


@dataclass
class ProductionPortal:
    host: Host
    services: dict[str, docker_files.Service]
    database_url: str
    broker: Relay
    simulator: SimulatorProcess
    containers: list[Container] = field(default_factory=list)

    def migrate(self) -> str:
        """Run the one-shot service, and return its output."""
        container = Container(self.services["migrate"], self.host)
        self.containers.append(container)
        assert container.wait(MAX_WAIT) == 0, container.output()
        return container.output()

    def start(self) -> None:
        """Start all services, and wait until each container is healthy."""
        for name, count in SERVICES.items():
            for number in range(1, count + 1):
                self.containers.append(Container(self.services[name], self.host, number=number))
        for container in self.running():
            container.wait_until_healthy(MAX_WAIT)

    def running(self) -> list[Container]:
        return [container for container in self.containers if container.process.poll() is None]

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a management command like `docker compose run --rm web python manage.py …`."""
        variables = self.host.environment(self.services["web"], "manage") | environment
        (self.host.folder / "manage").mkdir(exist_ok=True)
        completed = run(["python", "manage.py", *arguments], self.host.app, variables)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    def sign_in_as(self, name: str, *groups: str) -> UserSession:
        """Create a user as docs/production.md says, and sign in."""
        self.manage(
            *("createsuperuser", "--no-input", "--username", name, "--email", f"{name}@example.com"),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        script = "from commands.models import User; from django.contrib.auth.models import Group; "
        script += f"User.objects.get(username={name!r}).groups.set(Group.objects.filter(name__in={list(groups)!r}))"
        self.manage("shell", "--no-imports", "-c", script)
        session = UserSession(self.host.web_port, PUBLIC_URL)
        session.sign_in(name, PASSWORD)
        return session


@contextmanager
def production_portal(folder: Path) -> Iterator[ProductionPortal]:
    """Prepare everything except the services, which the test starts."""
    with ExitStack() as stack:
        database_url = stack.enter_context(servers.postgresql())
        redis = urlsplit(stack.enter_context(servers.redis()))
        assert redis.hostname
        assert redis.port
        broker = stack.enter_context(relay(redis.hostname, redis.port))
        simulator = stack.enter_context(running_simulator())
        host = Host(folder, servers.free_port())
        _build_image(host)
        redis_url = f"redis://:{redis.password}@127.0.0.1:{broker.port}/0"
        _write_secrets(folder, DATABASE_URL=database_url, REDIS_URL=redis_url, CLOUDFLARE_API_TOKEN=simulator.token)
        services = docker_files.compose(
            {
                "PUBLIC_URL": PUBLIC_URL,
                "TRUSTED_PROXIES": "127.0.0.1",
                "CLOUDFLARE_ACCOUNT_ID": simulator.account_id,
                "CLOUDFLARE_API_URL": simulator.base_url,
            }
        )
        portal = ProductionPortal(host, services, database_url, broker, simulator)
        try:
            yield portal
        finally:
            for container in portal.containers:
                container.kill()


def _build_image(host: Host) -> None:
    """Build the image's /app: the copied files, and the results of the last build command."""
    host.app.mkdir()
    (host.folder / "files").mkdir(mode=0o700)
    docker_files.build(host.app)
    [command] = [line for line in docker_files.image().all("RUN") if "collectstatic" in line]
    path = host.replacements("build")["/venv/bin"] + ":/usr/bin:/bin"
    completed = run(["/bin/sh", "-c", command], host.app, {"PATH": path})
    assert completed.returncode == 0, completed.stdout + completed.stderr


def _write_secrets(folder: Path, **values: str) -> None:
    """Write the secrets as docs/production.md says, then replace the addresses by those of this machine."""
    make_secrets(folder)
    for name, value in values.items():
        file = folder / "secrets" / name.lower()
        file.chmod(0o600)
        file.write_text(value)
    (folder / "secrets" / "storage_url").chmod(0o600)
    (folder / "secrets" / "storage_url").write_text(f"file://{folder}/files/artifacts")


def make_secrets(folder: Path) -> None:
    text = (docker_files.ROOT / "docs" / "production.md").read_text()
    blocks: Sequence[str] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    [script] = [block for block in blocks if "mkdir secrets" in block]
    subprocess.run(["/bin/sh", "-e", "-c", script], cwd=folder, check=True, timeout=MAX_WAIT)


def ledger(simulator: SimulatorProcess) -> dict[str, list[dict[str, Any]]]:
    with urlopen(f"{simulator.control_url}/ledger", timeout=MAX_WAIT) as response:
        content: dict[str, list[dict[str, Any]]] = json.load(response)
    return content
