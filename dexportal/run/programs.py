"""Programs of the portal with their command lines, as `make run` starts them. Nothing here starts a process."""

import sys

from dexportal.run.supervisor import Program

HOST = "127.0.0.1"
# `manage.py setup` runs the checks once for all programs, so Celery skips them.
CELERY = ("celery", "--quiet", "--skip-checks", "-A", "dexportal.celery.app")
# An account whose upstream hangs occupies four threads at most: two POSTs, a listing, and the directory.
TALK_THREADS = 8


def simulator(port: int, speed: float) -> Program:
    """Return the simulator on a port chosen before the start, so that a restarted simulator has the same address."""
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--speed", str(speed)]
    return Program("simulator", command)


def worker(queue: str, threads: int) -> Program:
    celery = [sys.executable, "-m", *CELERY, "worker", "-Q", queue, "-n", f"{queue}@%h"]
    pool = ["--pool", "threads", "--concurrency", str(threads)]
    return Program(queue, [*celery, *pool, "--without-gossip", "--without-mingle", "--without-heartbeat"])


def beat() -> Program:
    return Program("beat", [sys.executable, "-m", *CELERY, "beat"])


def web(port: int) -> Program:
    command = [sys.executable, "-m", "dexportal.serve", "--host", HOST, "--port", str(port)]
    return Program("web", command, is_essential=True)


def development_web(port: int) -> Program:
    """Return Django's own server, which reloads itself. WhiteNoise serves the static files, as it does in `web`."""
    command = [sys.executable, "manage.py", "runserver", "--nostatic", f"{HOST}:{port}"]
    return Program("web", command, is_essential=True)
