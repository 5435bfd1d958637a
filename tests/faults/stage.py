"""The processes of a fault run: servers, simulator and the whole portal, started, hurt and started again.

Owns the processes and the folder; not when what happens to them (schedule.py, player.py). Made and used by the main
thread alone: a child dies with the thread that started it.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic
from urllib.request import urlopen

from cryptography.fernet import Fernet

from dexportal.run import portal
from dexportal.run.supervisor import die_with_parent
from tests import servers
from tests.faults import kill_points
from tests.faults.control import Control
from tests.faults.disks import Disks
from tests.faults.halts import Halts
from tests.faults.worker import CLOCK_VARIABLE, JUMP_VARIABLE

ROOT = Path(__file__).resolve().parent.parent.parent
START_WITHIN = 60.0
STOP_WITHIN = 15.0
AGAIN_AFTER = 0.3  # seconds until what died is started again, as a supervisor of services would
FETCHERS = ("fetch-1", "fetch-2")
CLOCKS_OFF = {"talk-2": "45", "fetch-2": "-45"}  # seconds, fifteen times ADOPT_BEFORE


def worker(name: str, queue: str, threads: int) -> list[str]:
    """As `make run` starts it, but with a name of its own and the points at which it is to die."""
    words = list(portal.worker(queue, threads).words)
    words[words.index("celery")] = "tests.faults.worker"
    words[words.index("-n") + 1] = f"{name}@%h"
    return words


@dataclass
class Stage:
    folder: Path
    accounts: int
    speed: float
    kill_at: str = ""
    var: Path = field(init=False)
    database: servers.Server = field(init=False)
    redis: servers.Server = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    programs: dict[str, list[str]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    control: Control = field(init=False)
    web_port: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    disks: Disks = field(init=False)
    halts: Halts = field(init=False)
    looks_after: bool = True
    _down: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.var = self.folder / "var"
        self.disks = Disks(self.var, lambda: [self.processes[name].pid for name in FETCHERS if name in self.processes])
        self.disks.prepare()
        self.halts = Halts(self.var)

    def set_environment(self) -> None:
        port = servers.free_port()
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.redis.url,
            "VAR_DIR": str(self.var),
            "SIMULATOR_URL": f"http://{servers.HOST}:{port}/client/v4",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
            "DEXPORTAL_DEMO_PASSWORD": secrets.token_urlsafe(12),
        }
        self.control = Control(self.environment["SIMULATOR_URL"])
        words = [sys.executable, "-m", "simulator", "--port", str(port), "--speed", str(self.speed)]
        self.programs["simulator"] = [*words, "--accounts", str(self.accounts)]

    def start_simulator(self) -> None:
        self.start("simulator")
        _until(lambda: bool(self.control.config()))

    def start_portal(self, *, only: Collection[str] = ()) -> None:
        """The whole of it, or some of its programs."""
        self.web_port = servers.free_port()
        for number in ("1", "2"):
            self.programs[f"talk-{number}"] = worker(f"talk-{number}", "talk", 4)
            self.programs[f"fetch-{number}"] = worker(f"fetch-{number}", "fetch", 2)
            self.programs[f"beat-{number}"] = list(portal.beat().words)
        self.programs["web"] = list(portal.web(self.web_port).words)
        for name in self.programs:
            if name not in self.processes and (not only or name in only):
                self.start(name)
        if "web" in self.processes:
            _until(self.web_answers)

    @property
    def web_address(self) -> str:
        return f"http://{servers.HOST}:{self.web_port}"

    def web_answers(self) -> bool:
        with urlopen(f"{self.web_address}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)

    def clock_of(self, name: str) -> Path:
        """The file that says by how much a worker's clock has jumped."""
        return self.var / f"clock-{name}"

    def start(self, name: str) -> None:
        # What dies hundreds of times is not compiled again for each start, whatever the caller wants of his own.
        environment = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
        if name.startswith(("talk", "fetch")) and self.kill_at:
            environment[kill_points.VARIABLE] = self.kill_at
            environment[CLOCK_VARIABLE] = CLOCKS_OFF.get(name, "0")
        environment[JUMP_VARIABLE] = str(self.clock_of(name))
        parent = os.getpid()
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.programs[name],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - two system calls, no lock
            )

    def send(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, number)

    def look_after(self) -> None:
        """Starts again what has died a moment ago."""
        now = monotonic()
        for name, process in self.processes.items():
            if process.poll() is None or not self.looks_after:
                continue
            if name not in self._down:
                self.deaths[name] += 1
                self.send(name, signal.SIGKILL)  # what is left of its session
                self._down[name] = now + AGAIN_AFTER
            elif now >= self._down[name]:
                del self._down[name]
                self.start(name)

    def deaths_of(self, *names: str) -> int:
        return sum(self.deaths[name] for name in names)

    def stop(self) -> None:
        self.looks_after = False
        for name in self.processes:
            self.send(name, signal.SIGCONT)
            with suppress(ProcessLookupError):
                self.processes[name].terminate()
        until = monotonic() + STOP_WITHIN
        for name, process in self.processes.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - monotonic()))
            self.send(name, signal.SIGKILL)
            process.wait()


def _until(answers: Callable[[], bool]) -> None:
    until = monotonic() + START_WITHIN
    while True:
        try:
            if answers():
                return
        except OSError:
            if monotonic() > until:
                raise
        Event().wait(0.1)


@contextmanager
def staged(folder: Path, *, accounts: int, speed: float, kill_at: str) -> Iterator[Stage]:
    """Servers and simulator run, the environment is set; the portal is still to be started."""
    stage = Stage(folder, accounts, speed, kill_at)
    with ExitStack() as stack:
        stage.database = stack.enter_context(servers.managed_postgresql())
        stage.redis = stack.enter_context(servers.managed_redis())
        stage.set_environment()
        stack.callback(stage.stop)
        stage.start_simulator()
        yield stage
