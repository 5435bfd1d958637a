"""A whole production portal on this machine: all services, servers of its own, a simulator in Cloudflare's place.

It follows docker-compose.yml and docs/production.md, and must not know how the portal works inside.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests import servers
from tests.services.production import described
from tests.services.production.browser import Person
from tests.services.production.containers import Container, Host, run
from tests.services.production.relay import Relay, relay
from tests.simulator_process import SimulatorProcess, running_simulator

PUBLIC_URL = "https://dex.example.com"
PASSWORD = "an-invented-word-of-this-test"
START_WITHIN = 120.0  # seconds for a service to be healthy, on a machine that is busy with other tests
SERVICES = {"web": 1, "worker-talk": 2, "worker-fetch": 2, "beat": 1}


@dataclass
class Production:
    host: Host
    services: dict[str, described.Service]
    database_url: str
    broker: Relay
    simulator: SimulatorProcess
    containers: list[Container] = field(default_factory=list)

    def migrate(self) -> str:
        """What the one-shot service said."""
        container = Container(self.services["migrate"], self.host)
        self.containers.append(container)
        assert container.wait(START_WITHIN) == 0, container.said()
        return container.said()

    def start(self) -> dict[str, float]:
        """Seconds until each was healthy."""
        begun = monotonic()
        for name, count in SERVICES.items():
            for number in range(1, count + 1):
                self.containers.append(Container(self.services[name], self.host, number=number))
        took = {}
        for container in self.running():
            container.wait_until_healthy(START_WITHIN)
            took[container.name] = monotonic() - begun
        return took

    def running(self) -> list[Container]:
        return [container for container in self.containers if container.process.poll() is None]

    def manage(self, *words: str, **environment: str) -> str:
        """As `docker compose run --rm web python manage.py …`."""
        given = self.host.environment(self.services["web"], "manage") | environment
        (self.host.folder / "manage").mkdir(exist_ok=True)
        done = run(["python", "manage.py", *words], self.host.app, given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def person(self, name: str, *groups: str) -> Person:
        """Somebody new, made as docs/production.md says, and signed in."""
        self.manage(
            *("createsuperuser", "--no-input", "--username", name, "--email", f"{name}@example.com"),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        order = "from commands.models import User; from django.contrib.auth.models import Group; "
        order += f"User.objects.get(username={name!r}).groups.set(Group.objects.filter(name__in={list(groups)!r}))"
        self.manage("shell", "--no-imports", "-c", order)
        person = Person(self.host.web_port, PUBLIC_URL)
        person.sign_in(name, PASSWORD)
        return person


@contextmanager
def production(folder: Path) -> Iterator[Production]:
    """Everything but the services, which are started by the test."""
    with ExitStack() as stack:
        database_url = stack.enter_context(servers.postgresql())
        redis = urlsplit(stack.enter_context(servers.redis()))
        assert redis.hostname
        assert redis.port
        broker = stack.enter_context(relay(redis.hostname, redis.port))
        simulator = stack.enter_context(running_simulator())
        host = Host(folder, servers.free_port())
        _image(host)
        redis_url = f"redis://:{redis.password}@127.0.0.1:{broker.port}/0"
        _secrets(folder, DATABASE_URL=database_url, REDIS_URL=redis_url, CLOUDFLARE_API_TOKEN=simulator.token)
        services = described.compose(
            {
                "PUBLIC_URL": PUBLIC_URL,
                "TRUSTED_PROXIES": "127.0.0.1",
                "CLOUDFLARE_ACCOUNT_ID": simulator.account_id,
                "CLOUDFLARE_API_URL": simulator.base_url,
            }
        )
        running = Production(host, services, database_url, broker, simulator)
        try:
            yield running
        finally:
            for container in running.containers:
                container.kill()


def _image(host: Host) -> None:
    """What the Dockerfile makes: the files that are copied, and what its last command of the build leaves there."""
    host.app.mkdir()
    (host.folder / "files").mkdir(mode=0o700)
    described.build(host.app)
    [order] = [line for line in described.image().all("RUN") if "collectstatic" in line]
    path = host.mapping("build")["/venv/bin"] + ":/usr/bin:/bin"
    done = run(["/bin/sh", "-c", order], host.app, {"PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr


def _secrets(folder: Path, **values: str) -> None:
    """As the documentation has it, then the addresses of this machine."""
    make_secrets(folder)
    for name, value in values.items():
        file = folder / "secrets" / name.lower()
        file.chmod(0o600)
        file.write_text(value)
    (folder / "secrets" / "storage_url").chmod(0o600)
    (folder / "secrets" / "storage_url").write_text(f"file://{folder}/files/artifacts")


def make_secrets(folder: Path) -> None:
    text = (described.ROOT / "docs" / "production.md").read_text()
    blocks: Sequence[str] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    [order] = [block for block in blocks if "mkdir secrets" in block]
    subprocess.run(["/bin/sh", "-e", "-c", order], cwd=folder, check=True, timeout=60)


def ledger(simulator: SimulatorProcess) -> dict[str, list[dict[str, Any]]]:
    with urlopen(f"{simulator.control_url}/ledger", timeout=30) as answer:
        found: dict[str, list[dict[str, Any]]] = json.load(answer)
    return found
