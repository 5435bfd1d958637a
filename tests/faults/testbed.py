"""Processes of a fault run: servers, the simulator and the whole portal.

A testbed starts, signals and restarts processes in its folder. The schedule and the fault injector decide when. Only
the main thread may create and use it, because each child dies with the thread that started it.
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

from dexportal.run import programs
from dexportal.run.supervisor import die_with_parent
from tests import servers
from tests.faults import kill_points
from tests.faults.disks import Disks
from tests.faults.halt_points import HaltPoint
from tests.faults.simulator_control import SimulatorControl
from tests.faults.worker import CLOCK_VARIABLE, JUMP_VARIABLE

ROOT = Path(__file__).resolve().parent.parent.parent
START_WITHIN = 60.0
STOP_WITHIN = 15.0
RESTART_DELAY = 0.3  # seconds before a dead process is started again, as a service supervisor would do
FETCHERS = ("fetch-1", "fetch-2")
CLOCK_OFFSETS = {"talk-2": "45", "fetch-2": "-45"}  # seconds; fifteen times ADOPT_BEFORE


def worker(name: str, queue: str, threads: int) -> list[str]:
    """Return the command of a worker, like `make run`, but with its own name and with kill points."""
    command = list(programs.worker(queue, threads).command)
    command[command.index("celery")] = "tests.faults.worker"
    command[command.index("-n") + 1] = f"{name}@%h"
    return command


@dataclass
class Testbed:
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
    control: SimulatorControl = field(init=False)
    web_port: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    disks: Disks = field(init=False)
    halt_point: HaltPoint = field(init=False)
    restarts_dead: bool = True
    _restart_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.var = self.folder / "var"
        self.disks = Disks(self.var, lambda: [self.processes[name].pid for name in FETCHERS if name in self.processes])
        self.disks.prepare()
        self.halt_point = HaltPoint(self.var)

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
        self.control = SimulatorControl(self.environment["SIMULATOR_URL"])
        command = [sys.executable, "-m", "simulator", "--port", str(port), "--speed", str(self.speed)]
        self.programs["simulator"] = [*command, "--accounts", str(self.accounts)]

    def start_simulator(self) -> None:
        self.start("simulator")
        _wait_until(lambda: bool(self.control.config()))

    def start_portal(self, *, only: Collection[str] = ()) -> None:
        """Start all programs of the portal, or some of them."""
        self.web_port = servers.free_port()
        for number in ("1", "2"):
            self.programs[f"talk-{number}"] = worker(f"talk-{number}", "talk", 4)
            self.programs[f"fetch-{number}"] = worker(f"fetch-{number}", "fetch", 2)
            self.programs[f"beat-{number}"] = list(programs.beat().command)
        self.programs["web"] = list(programs.web(self.web_port).command)
        for name in self.programs:
            if name not in self.processes and (not only or name in only):
                self.start(name)
        if "web" in self.processes:
            _wait_until(self.web_is_ready)

    @property
    def web_address(self) -> str:
        return f"http://{servers.HOST}:{self.web_port}"

    def web_is_ready(self) -> bool:
        with urlopen(f"{self.web_address}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)

    def clock_file(self, name: str) -> Path:
        """Return the file with the current jump of a worker's clock."""
        return self.var / f"clock-{name}"

    def start(self, name: str) -> None:
        # Processes start hundreds of times, so they must cache bytecode even if the caller disables that for itself.
        environment = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
        if name.startswith(("talk", "fetch")) and self.kill_at:
            environment[kill_points.VARIABLE] = self.kill_at
            environment[CLOCK_VARIABLE] = CLOCK_OFFSETS.get(name, "0")
        environment[JUMP_VARIABLE] = str(self.clock_file(name))
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

    def send(self, name: str, signal_number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal_number)

    def restart_dead(self) -> None:
        """Restart dead processes after a short delay."""
        now = monotonic()
        for name, process in self.processes.items():
            if process.poll() is None or not self.restarts_dead:
                continue
            if name not in self._restart_at:
                self.deaths[name] += 1
                self.send(name, signal.SIGKILL)  # remaining processes of its session
                self._restart_at[name] = now + RESTART_DELAY
            elif now >= self._restart_at[name]:
                del self._restart_at[name]
                self.start(name)

    def deaths_of(self, *names: str) -> int:
        return sum(self.deaths[name] for name in names)

    def stop(self) -> None:
        self.restarts_dead = False
        for name in self.processes:
            self.send(name, signal.SIGCONT)
            with suppress(ProcessLookupError):
                self.processes[name].terminate()
        deadline = monotonic() + STOP_WITHIN
        for name, process in self.processes.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - monotonic()))
            self.send(name, signal.SIGKILL)
            process.wait()


def _wait_until(is_ready: Callable[[], bool]) -> None:
    deadline = monotonic() + START_WITHIN
    while True:
        try:
            if is_ready():
                return
        except OSError:
            if monotonic() > deadline:
                raise
        Event().wait(0.1)


@contextmanager
def running_testbed(folder: Path, *, accounts: int, speed: float, kill_at: str) -> Iterator[Testbed]:
    """Start the servers and the simulator, and set the environment of the portal, which the caller starts."""
    testbed = Testbed(folder, accounts, speed, kill_at)
    with ExitStack() as stack:
        testbed.database = stack.enter_context(servers.managed_postgresql())
        testbed.redis = stack.enter_context(servers.managed_redis())
        testbed.set_environment()
        stack.callback(testbed.stop)
        testbed.start_simulator()
        yield testbed
