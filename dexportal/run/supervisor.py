"""Runs a few programs together: starts, prefixes what they say, restarts what crashed, stops everything.

Every program leads a session of its own, so that Ctrl-C reaches the supervisor alone and its group can be killed whole.
It must not know which programs these are (see run.py), nor load Django.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TICK = 0.1  # seconds between two looks at the children
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_voice = threading.Lock()


@dataclass(frozen=True)
class Program:
    name: str
    words: Sequence[str]


@dataclass(frozen=True)
class Patience:
    """All in seconds, except `crashes`: so many within `crash_window` are too many."""

    crashes: int = 5
    crash_window: float = 60.0
    restart_after: float = 1.0
    each: float = 3.0  # for one program to stop before the next is asked to
    stop: float = 15.0  # for all of them; then they are killed
    last_words: float = 2.0  # to read what a program wrote before it ended: something it left may hold the pipe open


class Stopped(Exception):
    """Somebody asked for the end while a program that has to finish was still running."""


def say(text: str, name: str = "dexportal") -> None:
    """A reader who has gone away is no reason to stop."""
    with _voice, suppress(OSError, ValueError):
        sys.stdout.write("".join(f"{name:9}| {line}\n" for line in text.splitlines()))
        sys.stdout.flush()


def die_with_parent(parent: int) -> None:
    """Runs in the child before its program does; `parent` may have died meanwhile. Only Linux knows how."""
    if _libc is not None:
        pr_set_pdeathsig = 1
        _libc.prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def spawn(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Only for the main thread: the kernel's "parent died" means the thread that started the child."""
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603 - the words are run.py's own
        words,
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - it makes two system calls and takes no lock
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    """Its whole session, also when its leader has ended; macOS refuses a group of which only a zombie is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class Child:
    program: Program
    start_process: Callable[[], subprocess.Popen[str]]
    process: subprocess.Popen[str] = field(init=False)
    reader: threading.Thread = field(init=False)
    crashes: deque[float] = field(default_factory=deque)
    start_at: float | None = None  # set while it is down after a crash; monotonic clock

    def start(self) -> None:
        self.start_at = None
        self.process = self.start_process()
        self.reader = threading.Thread(target=self._repeat_what_it_says, args=(self.process,), daemon=True)
        self.reader.start()

    def _repeat_what_it_says(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as lines:
            for line in lines:
                say(line, self.program.name)

    def has_crashed(self) -> bool:
        return self.start_at is None and self.process.poll() is not None

    def note_crash(self, now: float, patience: Patience) -> bool:
        """Clears away what is left of it and plans the next start; False when it crashes too often for that."""
        kill_group(self.process)
        self.crashes.append(now)
        while self.crashes[0] < now - patience.crash_window:
            self.crashes.popleft()
        self.start_at = now + patience.restart_after
        return len(self.crashes) < patience.crashes


class Supervisor:
    def __init__(self, folder: Path, environment: Mapping[str, str], patience: Patience | None = None) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.patience = patience or Patience()
        self.children: list[Child] = []
        self.told_to_stop = False
        self.told_to_hurry = False

    def listen(self) -> None:
        """TERM, a closed terminal and Ctrl-C stop; a second Ctrl-C kills. A second TERM does not: make repeats it."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup has its way
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.told_to_hurry = self.told_to_hurry or (self.told_to_stop and number == signal.SIGINT)
        self.told_to_stop = True

    def finish(self, words: Sequence[str]) -> tuple[int, str]:
        """Runs a program to its end; its exit status and all that it said."""
        process = spawn(words, self.folder, self.environment)
        try:
            while not self.told_to_stop:
                with suppress(subprocess.TimeoutExpired):
                    said, _ = process.communicate(timeout=TICK)
                    return process.returncode, said
            raise Stopped
        finally:
            kill_group(process)

    def start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            child = Child(program, lambda p=program: spawn(p.words, self.folder, self.environment))  # type: ignore[misc]  # mypy knows no default in a lambda
            child.start()
            self.children.append(child)

    def run(self, when_up: Callable[[], bool]) -> int:
        """Until told to stop (0) or a program crashes too often (1). `when_up` is asked until it says yes."""
        up = False
        while not self.told_to_stop:
            up = up or when_up()
            for child in self.children:
                if not self._look_after(child):
                    return 1
            time.sleep(TICK)
        return 0

    def _look_after(self, child: Child) -> bool:
        now = time.monotonic()
        if child.has_crashed():
            say(f"{child.program.name} ended by itself (exit status {child.process.returncode}).")
            if not child.note_crash(now, self.patience):
                say(f"{child.program.name} ended {self.patience.crashes} times in a short while: stopping everything.")
                return False
        elif child.start_at is not None and now >= child.start_at:
            say(f"starting {child.program.name} again.")
            child.start()
        return True

    def stop(self) -> None:
        """In reverse order, each with a little time; whatever is left in their groups is killed."""
        say("stopping")
        end = time.monotonic() + self.patience.stop
        for child in reversed(self.children):
            child.process.terminate()
            self._wait([child], min(end, time.monotonic() + self.patience.each))
        self._wait(self.children, end)
        for child in self.children:
            if child.process.poll() is None:
                say(f"{child.program.name} does not stop: killing it.")
            kill_group(child.process)
            child.reader.join(self.patience.last_words)

    def _wait(self, children: Sequence[Child], until: float) -> None:
        while any(child.process.poll() is None for child in children):
            if self.told_to_hurry or time.monotonic() > until:
                return
            time.sleep(TICK / 5)
