"""Carries out the steps of a schedule on a stage, and takes each back when its time is over."""

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
from tests.faults.stage import Stage
from tests.servers import Server

KINDS = ("pcap", "warp-diag", "speed-test")


class Player:
    """`done` lists what was begun, in order: what a later run has to repeat.

    `wishes`: how often the database was to be restarted between a POST and its record; `halted`: the Dispatches for
    which it was. `upsets`: when Cloudflare hung, or its clock was set, without a trace in its ledger.
    """

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.seed = seed
        self.done: list[Step] = []
        self.wishes = 0
        self.halted: list[str] = []
        self.upsets: list[datetime] = []
        self._active: list[Step] = []  # faults of the simulator
        self._ends: list[tuple[float, int, Callable[[], None]]] = []

    def begin(self, step: Step, now: float) -> None:
        self.done.append(step)
        end = self._act(step)
        if end is not None:
            heapq.heappush(self._ends, (now + step.lasting, len(self.done), end))

    def end_due(self, now: float) -> None:
        self.restart_below_halted()
        while self._ends and self._ends[0][0] <= now:
            heapq.heappop(self._ends)[2]()

    def end_all(self) -> None:
        """Everything is well again."""
        self.end_due(float("inf"))

    def _act(self, step: Step) -> Callable[[], None] | None:
        acts: dict[str, Callable[[Step], Callable[[], None] | None]] = {
            "fault": self._fault,
            "refuse": self._fault,
            "kill": lambda step: self.stage.send(step.whom, signal.SIGKILL),
            "end": lambda step: self.stage.processes[step.whom].terminate(),
            "hold": self._hold,
            "redis": self._redis,
            "database": self._database,
            "upstream": self._hang,
            "disk": self._disk,
            "clock": self._clock,
            "world": self._world,
            "foreign": self._foreign,
        }
        return acts[step.act](step)

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
        self._order(lambda: self.stage.control.put_rules(rules, seed=self.seed + len(self.done)))

    def _hang(self, _step: Step) -> Callable[[], None]:
        self.upsets.append(datetime.now(UTC))
        return self._held("simulator")

    def _world(self, step: Step) -> Callable[[], None]:
        before = self.stage.control.config()
        self._configure(step.values)
        return lambda: self._configure({key: before[key] for key in step.values})

    def _configure(self, values: Mapping[str, Any]) -> None:
        if "clock_offset" in values:
            self.upsets.append(datetime.now(UTC))
        self._order(lambda: self.stage.control.configure(**values))

    def _foreign(self, step: Step) -> None:
        rng = Random(step.values["seed"])
        devices = [device for device in self.stage.control.devices() if device["eligible"]]
        for device in rng.sample(devices, step.values["count"]):
            names = {"account": "account_id", "device_id": "device_id", "registration_id": "registration_id"}
            order = {name: device[key] for name, key in names.items()}
            self.stage.control.foreign({**order, "kind": rng.choice(KINDS)})

    def _order(self, order: Callable[[], object]) -> None:
        """A simulator that is held cannot hear: it goes on first."""
        self.stage.send("simulator", signal.SIGCONT)
        with suppress(URLError):
            order()

    # --- Ours ---

    def _hold(self, step: Step) -> Callable[[], None]:
        return self._held(step.whom)

    def _held(self, name: str) -> Callable[[], None]:
        self.stage.send(name, signal.SIGSTOP)
        return lambda: self.stage.send(name, signal.SIGCONT)

    def _redis(self, step: Step) -> Callable[[], None] | None:
        server = self.stage.redis
        match step.whom:
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
        """A crash asks nobody and recovers from its log, as after a power cut."""
        if step.whom == "after_post":
            self.wishes += 1
            self.stage.halts.wish()
            return None
        server = self.stage.database
        _stop(server, signal.SIGQUIT if step.whom == "crash" else signal.SIGINT)
        return lambda: _start(server)

    def _clock(self, step: Step) -> Callable[[], None]:
        file = self.stage.clock_of(step.whom)
        file.write_text(str(step.values["off"]))
        return lambda: file.unlink(missing_ok=True)

    def restart_below_halted(self) -> None:
        """Also when all else is well again: a wish stands until a POST comes."""
        for dispatch_id in self.stage.halts.halted():
            _stop(self.stage.database, signal.SIGINT)
            _start(self.stage.database)
            self.stage.halts.let_go(dispatch_id)
            self.halted.append(dispatch_id)

    def _disk(self, step: Step) -> Callable[[], None]:
        name = STORE if step.whom == "store" else SPOOL
        self.stage.disks.fill(name)
        return lambda: self.stage.disks.empty(name)


def _send(server: Server, number: signal.Signals) -> None:
    if server.process is not None:
        server.send(number)


def _stop(server: Server, how: signal.Signals) -> None:
    """Also one that is held."""
    _send(server, signal.SIGCONT)
    server.stop(how)


def _start(server: Server) -> None:
    """Unless another step has started it meanwhile."""
    if server.process is None:
        server.start()
