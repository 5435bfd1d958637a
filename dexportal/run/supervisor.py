"""Supervisor of a few programs: it starts them, prefixes their output, restarts those that crash, and stops them all.

A program that keeps crashing is restarted ever more slowly and takes no other one with it, unless it is essential.

Each program leads its own session, so that Ctrl-C reaches only the supervisor, and so that the supervisor can kill the
whole process group. This module must not know which programs it runs (see programs.py), and must not load Django.
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

TICK = 0.1  # seconds between two checks of the programs
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_output_lock = threading.Lock()


@dataclass(frozen=True)
class Program:
    """Program to keep running. If an essential one crashes too often, everything stops."""

    name: str
    command: Sequence[str]
    is_essential: bool = False


@dataclass(frozen=True)
class SupervisorLimits:
    """Limits of the supervisor, in seconds.

    A program that crashes again within `crash_window` waits twice as long for its restart, up to `restart_most`.
    Everything stops when an essential program crashes `max_crashes` times within `crash_window`.
    """

    max_crashes: int = 5
    crash_window: float = 60.0
    restart_after: float = 1.0
    restart_most: float = 60.0
    stop_one: float = 3.0  # for one program to stop, before the next one gets its signal
    stop_all: float = 15.0  # for all programs to stop, before they are killed
    read_rest: float = 2.0  # to read the last output of a program; a process it left may keep the pipe open


class Stopped(Exception):
    """Signal to stop that arrived while `run_to_end` was running a program."""


def print_lines(text: str, name: str = "dexportal") -> None:
    """Print each line with the program's name before it. A closed output is ignored, because the portal goes on."""
    with _output_lock, suppress(OSError, ValueError):
        sys.stdout.write("".join(f"{name:9}| {line}\n" for line in text.splitlines()))
        sys.stdout.flush()


def die_with_parent(parent: int) -> None:
    """Make the kernel stop this process when its parent dies. Linux only.

    It runs in the child process before the program does. The parent may have died already, so that is checked last.
    """
    if _libc is not None:
        pr_set_pdeathsig = 1
        _libc.prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def spawn(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a process, from the main thread only: it dies with the thread that started it, see `die_with_parent`."""
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603 - the commands are those of programs.py
        command,
        cwd=folder,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - it makes system calls only and takes no lock
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill the process and its children, also if the process itself has ended.

    macOS refuses to signal a group with nothing but a zombie, hence PermissionError.
    """
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
    pause: float = 0.0  # before the last restart

    def start(self) -> None:
        self.start_at = None
        self.process = self.start_process()
        self.reader = threading.Thread(target=self._print_output, args=(self.process,), daemon=True)
        self.reader.start()

    def _print_output(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as lines:
            for line in lines:
                print_lines(line, self.program.name)

    def has_crashed(self) -> bool:
        return self.start_at is None and self.process.poll() is not None

    def note_crash(self, now: float, limits: SupervisorLimits) -> bool:
        """Kill the rest of the process group and schedule the restart. Return False if everything must stop."""
        kill_group(self.process)
        is_first = not self.crashes or self.crashes[-1] < now - self.pause - limits.crash_window
        self.pause = limits.restart_after if is_first else min(2 * self.pause, limits.restart_most)
        self.crashes.append(now)
        while self.crashes[0] < now - limits.crash_window:
            self.crashes.popleft()
        self.start_at = now + self.pause
        return not self.program.is_essential or len(self.crashes) < limits.max_crashes


class Supervisor:
    def __init__(self, folder: Path, environment: Mapping[str, str], limits: SupervisorLimits | None = None) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.limits = limits or SupervisorLimits()
        self.children: list[Child] = []
        self.is_stopping = False
        self.is_killing = False

    def handle_signals(self) -> None:
        """Stop on TERM, HUP or Ctrl-C, and kill on a second Ctrl-C. A second TERM has no effect, as make repeats it."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores HUP
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.is_killing = self.is_killing or (self.is_stopping and number == signal.SIGINT)
        self.is_stopping = True

    def run_to_end(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a program to its end. Return its exit status and its output."""
        process = spawn(command, self.folder, self.environment)
        try:
            while not self.is_stopping:
                with suppress(subprocess.TimeoutExpired):
                    output, _ = process.communicate(timeout=TICK)
                    return process.returncode, output
            raise Stopped
        finally:
            kill_group(process)

    def start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            child = Child(program, lambda p=program: spawn(p.command, self.folder, self.environment))  # type: ignore[misc]  # mypy does not infer a default in a lambda
            child.start()
            self.children.append(child)

    def run(self, when_up: Callable[[], bool]) -> int:
        """Keep the programs running. Return 0 after a signal to stop, and 1 if an essential program crashed too often.

        `when_up` is called until it returns True.
        """
        up = False
        while not self.is_stopping:
            up = up or when_up()
            for child in self.children:
                if not self._restart_if_crashed(child):
                    return 1
            time.sleep(TICK)
        return 0

    def _restart_if_crashed(self, child: Child) -> bool:
        """Return False if an essential program crashed too often to restart it."""
        now = time.monotonic()
        if child.has_crashed():
            status = child.process.returncode
            may_go_on = child.note_crash(now, self.limits)
            restart = f" Restarting it in {child.pause:.0f} s." if may_go_on else ""
            print_lines(f"{child.program.name} stopped unexpectedly (exit status {status}).{restart}")
            if not may_go_on:
                times = f"{self.limits.max_crashes} times within {self.limits.crash_window:.0f} s"
                print_lines(f"{child.program.name} crashed {times}. Stopping everything.")
                return False
        elif child.start_at is not None and now >= child.start_at:
            print_lines(f"Restarting {child.program.name}.")
            child.start()
        return True

    def stop(self) -> None:
        """Stop the programs in reverse order, each with a time limit, and kill what is left of their process groups."""
        print_lines("Stopping.")
        end = time.monotonic() + self.limits.stop_all
        for child in reversed(self.children):
            child.process.terminate()
            self._wait([child], min(end, time.monotonic() + self.limits.stop_one))
        self._wait(self.children, end)
        for child in self.children:
            if child.process.poll() is None:
                print_lines(f"{child.program.name} isn't stopping. Killing it.")
            kill_group(child.process)
            child.reader.join(self.limits.read_rest)

    def _wait(self, children: Sequence[Child], until: float) -> None:
        while any(child.process.poll() is None for child in children):
            if self.is_killing or time.monotonic() > until:
                return
            time.sleep(TICK / 5)
