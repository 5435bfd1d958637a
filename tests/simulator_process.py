"""Simulator as a separate process, for tests that call it over real HTTP.

This module starts and stops it and returns its addresses. It must not know the API.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import running_process, terminate

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class SimulatorProcess:
    """Addresses of a simulator, with the id and the token of its first account.

    `control_url` ends in `/_sim`, `base_url` in `/client/v4`.
    """

    base_url: str
    control_url: str
    account_id: str
    token: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Stop the simulator early, and return its exit status. `running_simulator` stops it in any case."""
        return terminate(self.process)


@contextmanager
def running_simulator(
    *, seed: int = 1, speed: float = 600.0, extra_args: Sequence[str] = ()
) -> Iterator[SimulatorProcess]:
    """Start a simulator, and stop it at the end.

    At the default speed ten minutes take one second. The window of the rate limit is then half a second.
    """
    command = [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed), "--speed", str(speed)]
    parser = _StartupLines()
    with running_process([*command, *extra_args], ready=parser.read, cwd=ROOT) as (process, addresses):
        base_url, account_id, token = addresses
        control_url = base_url.removesuffix("/client/v4") + "/_sim"
        yield SimulatorProcess(base_url, control_url, account_id, token, process)


class _StartupLines:
    """Parser of the lines `simulator URL` and then `account ID token TOKEN`. Only the first account counts."""

    def __init__(self) -> None:
        self._base_url = ""

    def read(self, line: str) -> tuple[str, str, str] | None:
        match line.split():
            case ["simulator", address]:
                self._base_url = address
            case ["account", account_id, "token", token] if self._base_url:
                return self._base_url, account_id, token
        return None
