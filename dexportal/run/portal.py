"""Start of `make run`: the whole portal on this machine, with the simulator unless a real account is configured.

This module checks what must hold before the start, prepares the database and starts the programs in order. Their
command lines are in programs.py, and supervisor.py keeps them running. This module must not load Django's settings:
`manage.py setup` reports what is wrong with them.
"""

import argparse
import fcntl
import http.client
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from dexportal import env, upstream
from dexportal.run import programs
from dexportal.run.programs import HOST
from dexportal.run.supervisor import Stopped, Supervisor, print_lines

BASE_DIR = Path(__file__).resolve().parent.parent.parent


class CannotStart(Exception):
    """Problem that prevents the start. Its text is for the person at the terminal."""


def require_free_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as problem:
            other = port + 1 if 1024 <= port < 65535 else 8001
            raise CannotStart(
                f"Port {port} on {HOST} can't be used ({problem.strerror}). "
                f"Stop the program that uses it, or choose another port: PORT={other} make run"
            ) from None


def require_writable(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise CannotStart(f"Can't write to {folder} ({problem.strerror}). Set VAR_DIR to another folder.") from None


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Make sure that no other portal runs in the folder. The lock ends with this process, however it ends."""
    with (folder / "portal.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process = file.read().strip() or "unknown"
            raise CannotStart(
                f"Another portal is running in {folder} (process {process}). Stop it first, or "
                "choose another folder and port: VAR_DIR=… PORT=… make run"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def prepare(supervisor: Supervisor) -> str:
    """Run `manage.py setup` and return its output, which says who can sign in."""
    status, output = supervisor.run_to_end([sys.executable, "manage.py", "setup", "--verbosity", "0"])
    if status:
        raise CannotStart(f"manage.py setup failed:\n{output}")
    return output


def announce_when_up(port: int, sign_ins: str) -> Callable[[], bool]:
    """Return a function that prints the portal's address once the web process answers, and then returns True."""

    def announce() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            is_up = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            is_up = False
        finally:
            connection.close()
        if is_up:
            print_lines(f"{sign_ins.rstrip()}\nThe portal is at http://{HOST}:{port} (press Ctrl-C to stop it).")
        return is_up

    return announce


def run(supervisor: Supervisor, *, dev: bool = False) -> int:
    var = Path(env.text("VAR_DIR") or BASE_DIR / "var")
    require_writable(var)
    with lock(var):
        return run_in(var, supervisor, dev=dev)


def run_in(var: Path, supervisor: Supervisor, *, dev: bool) -> int:
    port = env.number("PORT", 8000, least=1, most=65535)
    require_free_port(port)
    web = programs.development_web(port) if dev else programs.web(port)
    to_start = [programs.worker("talk", programs.TALK_THREADS), programs.worker("fetch", 2), programs.beat(), web]
    if dev:
        supervisor.environment.setdefault("DEBUG", "true")
    simulator_url, url_file = "", upstream.simulator_url_file(var)
    if upstream.from_environment(var).is_simulator and not env.text("SIMULATOR_URL"):
        simulator_port = free_port()
        simulator_url = supervisor.environment["SIMULATOR_URL"] = f"http://{HOST}:{simulator_port}/client/v4"
        to_start.insert(0, programs.simulator(simulator_port, env.factor("SIMULATOR_SPEED", 10)))
    sign_ins = prepare(supervisor)
    try:
        if simulator_url:
            url_file.write_text(simulator_url)
        supervisor.start(to_start)
        return supervisor.run(announce_when_up(port, sign_ins))
    finally:
        supervisor.stop()
        url_file.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dexportal.run", description="Starts the whole portal on this machine.")
    parser.add_argument("--dev", action="store_true", help="show debug pages, and reload the web process on changes")
    options = parser.parse_args(arguments)
    supervisor = Supervisor(BASE_DIR, os.environ)
    supervisor.handle_signals()
    try:
        return run(supervisor, dev=options.dev)
    except (CannotStart, ImproperlyConfigured) as problem:
        print_lines(str(problem))
        return 1
    except Stopped:
        return 0
