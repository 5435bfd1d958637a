"""Programs that tests start: waits for the line that says they are ready, reads all they say, ends them."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic

STOP_WITHIN = 10.0


@contextmanager
def started[Ready](
    words: Sequence[str],
    *,
    ready: Callable[[str], Ready | None],
    within: float,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[subprocess.Popen[str], Ready]]:
    """`ready` is shown each line until it returns something; RuntimeError with all lines when it never does."""
    process = subprocess.Popen(
        list(words), cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: Queue[str | None] = Queue()
    reader = Thread(target=_read, args=(process, said), daemon=True)
    reader.start()
    try:
        yield process, _wait(words, said, ready, within)
    finally:
        ended(process)
        reader.join(STOP_WITHIN)
        if process.stdout:
            process.stdout.close()


def ended(process: subprocess.Popen[str]) -> int:
    """Asks it to end, and kills it if it does not; the exit status. Harmless when it has ended."""
    process.terminate()
    try:
        return process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _read(process: subprocess.Popen[str], said: Queue[str | None]) -> None:
    """Reads for as long as it speaks, so that it never waits for a reader; None is its end."""
    assert process.stdout
    for line in process.stdout:
        said.put(line.rstrip("\n"))
    said.put(None)


def _wait[Ready](
    words: Sequence[str], said: Queue[str | None], ready: Callable[[str], Ready | None], within: float
) -> Ready:
    heard: list[str] = []
    until = monotonic() + within
    while (left := until - monotonic()) > 0:
        try:
            line = said.get(timeout=left)
        except Empty:
            break
        if line is None:
            break
        heard.append(line)
        if (found := ready(line)) is not None:
            return found
    raise RuntimeError(f"{' '.join(words)} did not get ready. It said:\n" + "\n".join(heard))
