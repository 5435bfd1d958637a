"""Time of a page of 50 out of 100 000 commands in the simulator, and the memory that the simulator holds.

Floor: the same call, over the same connection, in a world without commands.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN

COMMANDS = 100_000
ROUNDS = 60
GOAL_MS = 20.0
GOAL_MB = 160.0

LISTING = f"/client/v4/accounts/{DEFAULT_ACCOUNT_ID}/dex/commands?per_page=50"
SHAPES = {
    "first page": "&page=1",
    "last page": f"&page={COMMANDS // 50}",
    "one device": "&page=1&device_id={device_id}",
    "status rarely met": "&page=1&status=PENDING_UPLOAD",
    "kind, deep": f"&page={COMMANDS // 200}&command_type=pcap",
    "status, deep": f"&page={COMMANDS // 100}&status=SUCCESS",
}


class SimulatorConnection:
    """Kept-alive connection to a simulator that runs in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process = process
        port = int(process.stdout.readline().rpartition(":")[2].split("/")[0])
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {DEFAULT_TOKEN}"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = json.loads(self._connection.getresponse().read())
        assert isinstance(response, dict)
        return response

    def milliseconds(self, path: str) -> float:
        """Return the 95th percentile of several calls."""
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            self.call("GET", path)
            times.append((time.perf_counter() - started) * 1000)
        return statistics.quantiles(times, n=20)[-1]

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@contextmanager
def _simulator() -> Iterator[SimulatorConnection]:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--speed", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        simulator = SimulatorConnection(process)
        simulator.call("PUT", "/_sim/config", {"rate_limit": 1_000_000})
        yield simulator
    finally:
        process.terminate()
        process.communicate()


def _row(name: str, value: float, unit: str, floor: float, goal: float) -> dict[str, object]:
    return {
        "name": f"simulator: {name}",
        "value": round(value, 2),
        "unit": unit,
        "floor": round(floor, 2),
        "ratio": round(value / floor, 2),
        "goal": goal,
        "met": value <= goal,
    }


def measure() -> list[dict[str, object]]:
    with _simulator() as simulator:
        idle_mb = simulator.resident_mb()
        floor = simulator.milliseconds(f"{LISTING}&page=1")
        simulator.call("POST", "/_sim/load", {"count": COMMANDS, "seed": 1})
        full_mb = simulator.resident_mb()
        newest = simulator.call("GET", f"{LISTING}&page=1")["result"]
        assert isinstance(newest, dict)
        device_id = newest["commands"][0]["device_id"]
        rows = [
            _row(
                f"listing, {name}",
                simulator.milliseconds(LISTING + query.format(device_id=device_id)),
                "ms",
                floor,
                GOAL_MS,
            )
            for name, query in SHAPES.items()
        ]
    return [*rows, _row(f"memory with {COMMANDS} commands", full_mb, "MB", idle_mb, GOAL_MB)]


def main() -> None:
    for row in measure():
        verdict = "met" if row["met"] else "MISSED"
        print(f"{row['name']:45} {row['value']:>9} {row['unit']:3} {row['ratio']:>7}x  {verdict}")


if __name__ == "__main__":
    main()
