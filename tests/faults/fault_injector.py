"""Fault injector: executes the steps of a schedule on a testbed, and undoes each at its end."""

import heapq
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.error import URLError

import redis

from tests.faults.disks import SPOOL, STORE
from tests.faults.schedule import Step
from tests.faults.testbed import Testbed
from tests.servers import Server

KINDS = ("pcap", "warp-diag", "speed-test")


class FaultInjector:
    """Executor of steps. `started_steps` lists them in order, so that a later run can repeat them.

    `restart_requests` counts the requested restarts of the database between a POST and its record, and
    `halted_dispatches` lists the Dispatches under which it was restarted. `outages` lists the times when Cloudflare
    hung or its clock was set, which its ledger does not show.
    """

    def __init__(self, testbed: Testbed, seed: int) -> None:
        self.testbed = testbed
        self.seed = seed
        self.started_steps: list[Step] = []
        self.restart_requests = 0
        self.halted_dispatches: list[str] = []
        self.outages: list[datetime] = []
        self._active: list[Step] = []  # active faults of the simulator
        self._ends: list[tuple[float, int, Callable[[], None]]] = []

    def begin(self, step: Step, now: float) -> None:
        self.started_steps.append(step)
        end = self._begin(step)
        if end is not None:
            heapq.heappush(self._ends, (now + step.duration, len(self.started_steps), end))

    def end_due(self, now: float) -> None:
        self.restart_database_under_halted()
        while self._ends and self._ends[0][0] <= now:
            heapq.heappop(self._ends)[2]()

    def end_all(self) -> None:
        """Undo all steps."""
        self.end_due(float("inf"))

    def _begin(self, step: Step) -> Callable[[], None] | None:
        handlers: dict[str, Callable[[Step], Callable[[], None] | None]] = {
            "fault": self._fault,
            "refuse": self._fault,
            "kill": lambda step: self.testbed.send(step.target, signal.SIGKILL),
            "terminate": lambda step: self.testbed.processes[step.target].terminate(),
            "suspend": self._suspend_process,
            "redis": self._redis,
            "database": self._database,
            "upstream": self._hang_upstream,
            "disk": self._disk,
            "clock": self._clock,
            "world": self._world,
            "foreign": self._foreign,
        }
        return handlers[step.action](step)

    # --- Cloudflare ---

    def _fault(self, step: Step) -> Callable[[], None]:
        self._active.append(step)
        self._put_rules()

        def end() -> None:
            self._active.remove(step)
            self._put_rules()

        return end

    def _put_rules(self) -> None:
        rules = [rule for step in self._active for rule in step.rules]
        self._call_simulator(lambda: self.testbed.control.put_rules(rules, seed=self.seed + len(self.started_steps)))

    def _hang_upstream(self, _step: Step) -> Callable[[], None]:
        self.outages.append(datetime.now(UTC))
        return self._suspend("simulator")

    def _world(self, step: Step) -> Callable[[], None]:
        before = self.testbed.control.config()
        self._configure(step.values)
        return lambda: self._configure({key: before[key] for key in step.values})

    def _configure(self, values: Mapping[str, Any]) -> None:
        if "clock_offset" in values:
            self.outages.append(datetime.now(UTC))
        self._call_simulator(lambda: self.testbed.control.configure(**values))

    def _foreign(self, step: Step) -> None:
        rng = Random(step.values["seed"])
        devices = [device for device in self.testbed.control.devices() if device["eligible"]]
        for device in rng.sample(devices, step.values["count"]):
            names = {"account": "account_id", "device_id": "device_id", "registration_id": "registration_id"}
            order = {name: device[key] for name, key in names.items()}
            self.testbed.control.foreign({**order, "kind": rng.choice(KINDS)})

    def _call_simulator(self, call: Callable[[], object]) -> None:
        """Call the simulator, and resume it first, because a suspended simulator cannot respond."""
        self.testbed.send("simulator", signal.SIGCONT)
        with suppress(URLError):
            call()

    # --- Our processes ---

    def _suspend_process(self, step: Step) -> Callable[[], None]:
        return self._suspend(step.target)

    def _suspend(self, name: str) -> Callable[[], None]:
        self.testbed.send(name, signal.SIGSTOP)
        return lambda: self.testbed.send(name, signal.SIGCONT)

    def _redis(self, step: Step) -> Callable[[], None] | None:
        server = self.testbed.redis
        match step.target:
            case "flush":
                with suppress(redis.RedisError), redis.Redis.from_url(server.url, socket_timeout=1) as client:
                    client.flushall()
            case "restart":
                _stop(server, signal.SIGINT)
                _start(server)
            case "refuse":
                _stop(server, signal.SIGINT)
                return lambda: _start(server)
            case "hang":
                _send(server, signal.SIGSTOP)
                return lambda: _send(server, signal.SIGCONT)
        return None

    def _database(self, step: Step) -> Callable[[], None] | None:
        """Restart PostgreSQL. After a crash it recovers from its log, as after a power cut."""
        if step.target == "after_post":
            self.restart_requests += 1
            self.testbed.halt_point.request()
            return None
        server = self.testbed.database
        _stop(server, signal.SIGQUIT if step.target == "crash" else signal.SIGINT)
        return lambda: _start(server)

    def _clock(self, step: Step) -> Callable[[], None]:
        file = self.testbed.clock_file(step.target)
        file.write_text(str(step.values["offset"]))
        return lambda: file.unlink(missing_ok=True)

    def restart_database_under_halted(self) -> None:
        """Restart the database under each halted worker.

        The fault run also calls this after the last step, because a requested halt stays until a worker posts.
        """
        for dispatch_id in self.testbed.halt_point.halted_dispatches():
            _stop(self.testbed.database, signal.SIGINT)
            _start(self.testbed.database)
            self.testbed.halt_point.release(dispatch_id)
            self.halted_dispatches.append(dispatch_id)

    def _disk(self, step: Step) -> Callable[[], None]:
        name = STORE if step.target == "store" else SPOOL
        self.testbed.disks.fill(name)
        return lambda: self.testbed.disks.empty(name)


def _send(server: Server, signal_number: signal.Signals) -> None:
    if server.process is not None:
        server.send(signal_number)


def _stop(server: Server, shutdown_signal: signal.Signals) -> None:
    """Stop the server, and resume it first in case it is suspended."""
    _send(server, signal.SIGCONT)
    server.stop(shutdown_signal)


def _start(server: Server) -> None:
    """Start the server unless another step has started it already."""
    if server.process is None:
        server.start()
