"""What `make run` starts: the whole portal on this machine, with the simulator unless a real account is given.

It owns the list of programs and their order, and what has to be true before they start. How programs are kept running
is supervisor.py's business. It must not load Django's settings: what is wrong with them is for manage.py to say.
"""

import argparse
import http.client
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from dexportal import env, upstream
from dexportal.run.supervisor import Program, Stopped, Supervisor, say

BASE_DIR = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
CELERY = ("celery", "--quiet", "--skip-checks", "-A", "dexportal.celery.app")  # `manage.py setup` has made the checks
# An account whose upstream hangs holds four of them at most: two POSTs, a listing, the directory.
TALK_THREADS = 8


class CannotStart(Exception):
    """Its words are one sentence for the person at the terminal."""


def require_free_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as problem:
            raise CannotStart(
                f"Port {port} of {HOST} cannot be used ({problem.strerror}): "
                f"stop what uses it, or choose another with PORT={port + 1 if 1024 <= port < 65535 else 8001} make run."
            ) from None


def require_writable(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise CannotStart(f"{folder} cannot be written to ({problem.strerror}); VAR_DIR can name another.") from None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def simulator(port: int, speed: float) -> Program:
    """Its port is chosen beforehand, so that a restarted simulator is found where it was."""
    words = [sys.executable, "-m", "simulator", "--port", str(port), "--speed", str(speed)]
    return Program("simulator", words)


def worker(queue: str, threads: int) -> Program:
    celery = [sys.executable, "-m", *CELERY, "worker", "-Q", queue, "-n", f"{queue}@%h"]
    pool = ["--pool", "threads", "--concurrency", str(threads)]
    return Program(queue, [*celery, *pool, "--without-gossip", "--without-mingle", "--without-heartbeat"])


def beat() -> Program:
    return Program("beat", [sys.executable, "-m", *CELERY, "beat"])


def web(port: int) -> Program:
    """granian counts connections as backpressure, and a browser keeps several open without asking for anything."""
    granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(port)]
    limits = [
        "--no-ws",
        "--workers",
        "1",
        "--blocking-threads",
        "8",
        "--backpressure",
        "256",
        "--workers-kill-timeout",
        "5",
    ]
    return Program("web", [*granian, *limits, "dexportal.wsgi:application"])


def development_web(port: int) -> Program:
    """Return Django's own server, which reloads itself. WhiteNoise serves the static files, as it does in `web`."""
    return Program("web", [sys.executable, "manage.py", "runserver", "--nostatic", f"{HOST}:{port}"])


def prepare(supervisor: Supervisor) -> str:
    """Brings the database up to date and says who can sign in; the words about that."""
    status, said = supervisor.finish([sys.executable, "manage.py", "setup", "--verbosity", "0"])
    if status:
        raise CannotStart(f"manage.py setup failed:\n{said}")
    return said


def announcer(port: int, signins: str) -> Callable[[], bool]:
    """Says where the portal is, once it answers there."""

    def announce() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            answers = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            answers = False
        finally:
            connection.close()
        if answers:
            say(f"{signins.rstrip()}\nThe portal is at http://{HOST}:{port} (Ctrl-C stops it).")
        return answers

    return announce


def run(supervisor: Supervisor, *, dev: bool = False) -> int:
    port = env.number("PORT", 8000, least=1, most=65535)
    require_free_port(port)
    var = Path(env.text("VAR_DIR") or BASE_DIR / "var")
    require_writable(var)
    programs = [worker("talk", TALK_THREADS), worker("fetch", 2), beat(), development_web(port) if dev else web(port)]
    if dev:
        supervisor.environment.setdefault("DEBUG", "true")
    address, known = "", upstream.simulator_file(var)
    if upstream.from_environment(var).is_simulator and not env.text("SIMULATOR_URL"):
        chosen = free_port()
        address = supervisor.environment["SIMULATOR_URL"] = f"http://{HOST}:{chosen}/client/v4"
        programs.insert(0, simulator(chosen, env.factor("SIMULATOR_SPEED", 10)))
    signins = prepare(supervisor)
    try:
        if address:
            known.write_text(address)
        supervisor.start(programs)
        return supervisor.run(announcer(port, signins))
    finally:
        supervisor.stop()
        known.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dexportal.run", description="Starts the whole portal on this machine.")
    parser.add_argument("--dev", action="store_true", help="debug pages, and a web process that reloads changed code")
    options = parser.parse_args(arguments)
    supervisor = Supervisor(BASE_DIR, os.environ)
    supervisor.listen()
    try:
        return run(supervisor, dev=options.dev)
    except (CannotStart, ImproperlyConfigured) as problem:
        say(str(problem))
        return 1
    except Stopped:
        return 0
