"""Programs that tests start: wait for the line that says they are ready, read their output, terminate them."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic

from tests.polling import MAX_WAIT


@contextmanager
def running_process[Ready](
    command: Sequence[str],
    *,
    ready: Callable[[str], Ready | None],
    within: float = MAX_WAIT,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[subprocess.Popen[str], Ready]]:
    """Start a program, and terminate it at the end.

    Call `ready` with each line of the output until it returns a value. Raise RuntimeError with all lines if it never
    does.
    """
    process = subprocess.Popen(
        list(command), cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output: Queue[str | None] = Queue()
    reader = Thread(target=_read_lines, args=(process, output), daemon=True)
    reader.start()
    try:
        yield process, _wait_until_ready(command, output, ready, within)
    finally:
        terminate(process)
        reader.join(MAX_WAIT)
        if process.stdout:
            process.stdout.close()


def terminate(process: subprocess.Popen[str]) -> int:
    """Terminate the process, kill it if it does not end, and return the exit status. Calling it again is harmless."""
    process.terminate()
    try:
        return process.wait(MAX_WAIT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _read_lines(process: subprocess.Popen[str], output: Queue[str | None]) -> None:
    """Read all output, so that the process never blocks on a full pipe. None marks the end."""
    assert process.stdout
    for line in process.stdout:
        output.put(line.rstrip("\n"))
    output.put(None)


def _wait_until_ready[Ready](
    command: Sequence[str], output: Queue[str | None], ready: Callable[[str], Ready | None], within: float
) -> Ready:
    lines: list[str] = []
    deadline = monotonic() + within
    while (left := deadline - monotonic()) > 0:
        try:
            line = output.get(timeout=left)
        except Empty:
            break
        if line is None:
            break
        lines.append(line)
        if (value := ready(line)) is not None:
            return value
    raise RuntimeError(f"{' '.join(command)} did not get ready. Its output:\n" + "\n".join(lines))
