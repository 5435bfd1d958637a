"""The simulator as a process of its own, for tests of anything that talks to it over real HTTP.

Starts and stops it, and gives its addresses; it knows nothing of the API.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN = 30.0  # seconds; it takes less than one, but two cores may be busy
STOP_WITHIN = 10.0


@dataclass(frozen=True)
class SimulatorProcess:
    """`control_url` ends in `/_sim`, `base_url` in `/client/v4`; account and token are those of its first account."""

    base_url: str
    control_url: str
    account_id: str
    token: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Asks it to end, and kills it if it does not; the exit status. Harmless when it has ended."""
        return _end(self.process)


@contextmanager
def running_simulator(
    *, seed: int = 1, speed: float = 600.0, extra_args: Sequence[str] = ()
) -> Iterator[SimulatorProcess]:
    """At the default speed ten minutes take one second; the rate limit's window is then half a second."""
    words = [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed), "--speed", str(speed)]
    process = subprocess.Popen(
        [*words, *extra_args], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: Queue[str] = Queue()
    reader = Thread(target=_read, args=(process, said), daemon=True)
    reader.start()
    try:
        base_url, account_id, token = _introduction(said)
        control_url = base_url.removesuffix("/client/v4") + "/_sim"
        yield SimulatorProcess(base_url, control_url, account_id, token, process)
    finally:
        _end(process)
        reader.join(STOP_WITHIN)
        if process.stdout:
            process.stdout.close()


def _end(process: subprocess.Popen[str]) -> int:
    process.terminate()
    try:
        return process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _read(process: subprocess.Popen[str], said: Queue[str]) -> None:
    """Reads for as long as it speaks, so that it never waits for a reader."""
    assert process.stdout
    for line in process.stdout:
        said.put(line.strip())
    said.put("")


def _introduction(said: Queue[str]) -> tuple[str, str, str]:
    """Base URL, account and token from the lines `simulator URL` and `account ID token TOKEN`."""
    heard: list[str] = []
    base_url = ""
    until = monotonic() + START_WITHIN
    while (left := until - monotonic()) > 0:
        try:
            line = said.get(timeout=left)
        except Empty:
            break
        heard.append(line)
        match line.split():
            case ["simulator", base_url]:
                continue
            case ["account", account_id, "token", token] if base_url:
                return base_url, account_id, token
            case []:
                break
    raise RuntimeError("The simulator did not start. It said:\n" + "\n".join(heard))
