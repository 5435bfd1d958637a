"""PostgreSQL and Redis of our own for as long as a test run or a benchmark lasts.

Data lies under build/, ports are free ones on the loopback, passwords are random, and a server run by root runs as
somebody else. It must never touch a server that it did not start. `managed_…` gives a server that can be stopped, held
and started again where it was; the others only its address.
"""

import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from dexportal.run.supervisor import die_with_parent

HOST = "127.0.0.1"
BUILD = Path(__file__).resolve().parent.parent / "build"
START_WITHIN = 60.0  # seconds
STOP_WITHIN = 20.0


class ServerError(Exception):
    """A server is not installed or does not start; the words say which and what it said."""


@dataclass(frozen=True)
class Owner:
    """Who the servers run as: ourselves, or somebody without rights when we are root."""

    user: int | None = None
    group: int | None = None

    def may_enter(self, folder: Path) -> bool:
        tried = self.popen(["test", "-x", str(folder)], folder=Path("/"))
        return tried.wait() == 0

    def popen(self, words: list[str], *, folder: Path, log: Path | None = None) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        with open(log or os.devnull, "ab") as output:
            return subprocess.Popen(
                words,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=self.group,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),  # noqa: PLW1509 - two system calls, no lock
            )


def owner() -> Owner:
    if os.getuid() != 0:
        return Owner()
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Owner(entry.pw_uid, entry.pw_gid)
    raise ServerError("As root the servers need a user postgres or nobody to run as.")


def postgresql_folder() -> Path | None:
    """Where PostgreSQL's programs are, all of them: where distributions put them, the newest, or on PATH."""
    candidates = []
    for place in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"):
        candidates += sorted(glob.glob(place), key=_version, reverse=True)
    candidates += os.environ.get("PATH", os.defpath).split(os.pathsep)
    needed = ("initdb", "postgres", "pg_isready")
    return next((Path(folder) for folder in candidates if all(Path(folder, name).exists() for name in needed)), None)


def _version(path: str) -> int:
    return int("0" + "".join(letter for letter in path if letter.isdigit()))


def redis_server() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def data_folder(name: str) -> Iterator[tuple[Path, Owner]]:
    """An empty folder that its owner alone can read; elsewhere than build/ only where the owner cannot get there."""
    who = owner()
    BUILD.mkdir(exist_ok=True)
    parent = BUILD if who.may_enter(BUILD) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    try:
        if who.user is not None and who.group is not None:
            os.chown(folder, who.user, who.group)
        yield folder, who
    finally:
        shutil.rmtree(folder)


@dataclass
class Server:
    """A program that serves, and its process of the moment; `url` is what its clients are given."""

    words: list[str]
    folder: Path
    who: Owner
    answers: Callable[[], bool]
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = self.who.popen(self.words, folder=self.folder, log=self.folder / "log")
        _wait_for(self.process, self.answers, self.folder / "log")

    def send(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """To PostgreSQL an INT says: disconnect everybody and end; to Redis: end. What does not end is killed."""
        if self.process is None:
            return
        self.process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_WITHIN)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


@contextmanager
def postgresql() -> Iterator[str]:
    """The DATABASE_URL of a fresh cluster; its user may create databases."""
    with managed_postgresql() as server:
        yield server.url


@contextmanager
def managed_postgresql() -> Iterator[Server]:
    programs = postgresql_folder()
    if programs is None:
        raise ServerError("PostgreSQL is not installed.")
    with data_folder("postgresql") as (folder, who):
        password, port = secrets.token_hex(16), free_port()
        _initdb(programs, folder, who, password)
        words = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-h", HOST]
        words += ["-k", "", "-c", "max_connections=200", "-c", "shared_buffers=64MB"]
        with _running(words, folder, who, lambda: _postgresql_answers(programs, port)) as server:
            server.url = f"postgres://dexportal:{password}@{HOST}:{port}/postgres"
            yield server


def _initdb(programs: Path, folder: Path, who: Owner, password: str) -> None:
    secret = _secret_file(folder / "password", password, who)
    words = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "dexportal", "-E", "UTF8", "--no-locale"]
    words += ["--auth", "scram-sha-256", "--pwfile", str(secret), "--no-sync"]
    if who.popen(words, folder=folder, log=folder / "log").wait():
        raise ServerError(f"initdb failed:\n{(folder / 'log').read_text()}")


def _postgresql_answers(programs: Path, port: int) -> bool:
    words = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    return subprocess.run(words, check=False).returncode == 0


@contextmanager
def redis() -> Iterator[str]:
    """The REDIS_URL of an empty server that keeps nothing."""
    with managed_redis() as server:
        yield server.url


@contextmanager
def managed_redis() -> Iterator[Server]:
    program = redis_server()
    if program is None:
        raise ServerError("Redis is not installed.")
    with data_folder("redis") as (folder, who):
        password, port = secrets.token_hex(16), free_port()
        lines = [f"bind {HOST}", f"port {port}", f"requirepass {password}", 'save ""', "appendonly no"]
        config = _secret_file(folder / "redis.conf", "\n".join(lines) + "\n", who)
        with _running([program, str(config)], folder, who, lambda: _accepts(port)) as server:
            server.url = f"redis://:{password}@{HOST}:{port}/0"
            yield server


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _secret_file(path: Path, text: str, who: Owner) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    if who.user is not None and who.group is not None:
        os.chown(path, who.user, who.group)
    return path


@contextmanager
def _running(words: list[str], folder: Path, who: Owner, answers: Callable[[], bool]) -> Iterator[Server]:
    server = Server(words, folder, who, answers)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _wait_for(process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path) -> None:
    until = monotonic() + START_WITHIN
    pause = threading.Event()
    while process.poll() is None and monotonic() < until:
        if answers():
            return
        pause.wait(0.05)
    raise ServerError(f"{process.args!r} does not answer:\n{log.read_text(errors='replace')[-2000:]}")
