"""Supervisor in its own process, with small shell scripts as its programs, for tests that send real signals.

`python -m tests.house.supervised` is that process. Tests start it, read its output and signal it through `Supervised`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from time import monotonic

from dexportal.run.supervisor import Program, Supervisor, SupervisorLimits
from tests.polling import MAX_WAIT

ROOT = Path(__file__).resolve().parent.parent.parent
GENEROUS = dict.fromkeys(("crash_window", "stop_one", "stop_all", "read_rest"), MAX_WAIT) | {"restart_after": 0.01}


class Supervised:
    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._lines: Queue[str | None] = Queue()
        threading.Thread(target=self._read_output, daemon=True).start()

    def _read_output(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip())
        self._lines.put(None)

    def expect(self, pattern: str, within: float = MAX_WAIT) -> re.Match[str]:
        """Wait for a line that matches the pattern, beginning after the last line that was read."""
        until = monotonic() + within
        while (line := self._next(until)) is not None:
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no line matches {pattern!r} in:\n" + "\n".join(self.output))

    def expect_all(self, *patterns: str, within: float = MAX_WAIT) -> None:
        """Wait until every pattern has matched a line, in any order."""
        missing, until = set(patterns), monotonic() + within
        while missing and (line := self._next(until)) is not None:
            missing = {pattern for pattern in missing if not re.search(pattern, line)}
        assert not missing, f"no line matches {missing} in:\n" + "\n".join(self.output)

    def _next(self, until: float) -> str | None:
        try:
            line = self._lines.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            return None
        if line is not None:
            self.output.append(line)
        return line

    def wait(self, within: float = MAX_WAIT) -> int:
        """Wait for the process to exit, read the rest of its output, and return its exit status."""
        status = self.process.wait(within)
        until = monotonic() + within
        while self._next(until) is not None:
            pass
        return status

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def supervised(programs: Mapping[str, str], limits: Mapping[str, float] | None = None) -> Supervised:
    """Start a supervisor of these programs: names and shell scripts, in order. One named “essential” is essential."""
    return Supervised(["-m", "tests.house.supervised", json.dumps([dict(programs), dict(limits or {})])])


def is_gone(pid: int, within: float = MAX_WAIT) -> bool:
    until = monotonic() + within
    pause = threading.Event()
    while monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        pause.wait(0.02)
    return False


def main(configuration: str) -> int:
    programs, limits = json.loads(configuration)
    supervisor = Supervisor(ROOT, os.environ, SupervisorLimits(**{**GENEROUS, **limits}))
    supervisor.handle_signals()
    essential = {"essential"}
    supervisor.start([Program(name, ["sh", "-c", script], name in essential) for name, script in programs.items()])
    try:
        return supervisor.run(lambda: True)
    finally:
        supervisor.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
