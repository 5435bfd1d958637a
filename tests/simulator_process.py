"""The simulator as a process of its own, for tests of anything that talks to it over real HTTP.

Starts and stops it, and gives its addresses; it knows nothing of the API.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ended, started

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN = 30.0  # seconds; it takes less than one, but two cores may be busy


@dataclass(frozen=True)
class SimulatorProcess:
    """`control_url` ends in `/_sim`, `base_url` in `/client/v4`; account and token are those of its first account."""

    base_url: str
    control_url: str
    account_id: str
    token: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """The exit status. It is also stopped at the end of `running_simulator`."""
        return ended(self.process)


@contextmanager
def running_simulator(
    *, seed: int = 1, speed: float = 600.0, extra_args: Sequence[str] = ()
) -> Iterator[SimulatorProcess]:
    """At the default speed ten minutes take one second; the rate limit's window is then half a second."""
    words = [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed), "--speed", str(speed)]
    introduction = _Introduction()
    with started([*words, *extra_args], ready=introduction.hear, within=START_WITHIN, cwd=ROOT) as (process, said):
        base_url, account_id, token = said
        control_url = base_url.removesuffix("/client/v4") + "/_sim"
        yield SimulatorProcess(base_url, control_url, account_id, token, process)


class _Introduction:
    """The lines `simulator URL` and then `account ID token TOKEN`, of which the first counts."""

    def __init__(self) -> None:
        self._base_url = ""

    def hear(self, line: str) -> tuple[str, str, str] | None:
        match line.split():
            case ["simulator", address]:
                self._base_url = address
            case ["account", account_id, "token", token] if self._base_url:
                return self._base_url, account_id, token
        return None
