"""PostgreSQL and Redis servers that live as long as a test run or a benchmark.

Their data lies under build/, they listen on free loopback ports with random passwords, and servers started by root run
as another user. This module must never touch a server that it did not start. `managed_…` returns a server that can be
stopped, suspended and started again in place. The other functions return only its address.
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
from tests.polling import MAX_WAIT

HOST = "127.0.0.1"
BUILD = Path(__file__).resolve().parent.parent / "build"


class ServerError(Exception):
    """Raised when a server is not installed or does not start. The message holds the server's log."""


@dataclass(frozen=True)
class Owner:
    """System user of the servers: ourselves, or a user without rights if we are root."""

    user: int | None = None
    group: int | None = None

    def may_enter(self, folder: Path) -> bool:
        process = self.popen(["test", "-x", str(folder)], folder=Path("/"))
        return process.wait() == 0

    def popen(self, command: list[str], *, folder: Path, log: Path | None = None) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        with open(log or os.devnull, "ab") as output:
            return subprocess.Popen(
                command,
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


def server_owner() -> Owner:
    if os.getuid() != 0:
        return Owner()
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Owner(entry.pw_uid, entry.pw_gid)
    raise ServerError("Servers started by root need a user named postgres or nobody to run as.")


def postgresql_folder() -> Path | None:
    """Find the newest folder that holds all of PostgreSQL's programs: in the usual places, or on PATH."""
    candidates = []
    for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"):
        candidates += sorted(glob.glob(pattern), key=_version, reverse=True)
    candidates += os.environ.get("PATH", os.defpath).split(os.pathsep)
    required = ("initdb", "postgres", "pg_isready")
    return next((Path(folder) for folder in candidates if all(Path(folder, name).exists() for name in required)), None)


def _version(path: str) -> int:
    return int("0" + "".join(character for character in path if character.isdigit()))


def redis_server() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def data_folder(name: str) -> Iterator[tuple[Path, Owner]]:
    """Create an empty folder that only its owner can read.

    It lies under build/, or in the system's temporary folder if the owner cannot enter build/.
    """
    owner = server_owner()
    BUILD.mkdir(exist_ok=True)
    parent = BUILD if owner.may_enter(BUILD) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    try:
        if owner.user is not None and owner.group is not None:
            os.chown(folder, owner.user, owner.group)
        yield folder, owner
    finally:
        shutil.rmtree(folder)


@dataclass
class Server:
    """Server program and its current process. `url` is the address for its clients."""

    command: list[str]
    folder: Path
    owner: Owner
    is_ready: Callable[[], bool]
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = self.owner.popen(self.command, folder=self.folder, log=self.folder / "log")
        _wait_until_ready(self.process, self.is_ready, self.folder / "log")

    def send(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def stop(self, shutdown_signal: signal.Signals = signal.SIGINT) -> None:
        """Stop the process, and kill it if it does not end.

        SIGINT makes PostgreSQL disconnect all clients and end, and makes Redis end.
        """
        if self.process is None:
            return
        self.process.send_signal(shutdown_signal)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(MAX_WAIT)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


@contextmanager
def postgresql() -> Iterator[str]:
    """Yield the DATABASE_URL of a fresh cluster, whose user may create databases."""
    with managed_postgresql() as server:
        yield server.url


@contextmanager
def managed_postgresql() -> Iterator[Server]:
    programs = postgresql_folder()
    if programs is None:
        raise ServerError("PostgreSQL is not installed.")
    with data_folder("postgresql") as (folder, owner):
        password, port = secrets.token_hex(16), free_port()
        _initdb(programs, folder, owner, password)
        command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-h", HOST]
        command += ["-k", "", "-c", "max_connections=200", "-c", "shared_buffers=64MB"]
        with _running(command, folder, owner, lambda: _postgresql_is_ready(programs, port)) as server:
            server.url = f"postgres://dexportal:{password}@{HOST}:{port}/postgres"
            yield server


def _initdb(programs: Path, folder: Path, owner: Owner, password: str) -> None:
    secret = _secret_file(folder / "password", password, owner)
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "dexportal", "-E", "UTF8", "--no-locale"]
    command += ["--auth", "scram-sha-256", "--pwfile", str(secret), "--no-sync"]
    if owner.popen(command, folder=folder, log=folder / "log").wait():
        raise ServerError(f"initdb failed:\n{(folder / 'log').read_text()}")


def _postgresql_is_ready(programs: Path, port: int) -> bool:
    command = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0


@contextmanager
def redis() -> Iterator[str]:
    """Yield the REDIS_URL of an empty server without persistence."""
    with managed_redis() as server:
        yield server.url


@contextmanager
def managed_redis() -> Iterator[Server]:
    program = redis_server()
    if program is None:
        raise ServerError("Redis is not installed.")
    with data_folder("redis") as (folder, owner):
        password, port = secrets.token_hex(16), free_port()
        lines = [f"bind {HOST}", f"port {port}", f"requirepass {password}", 'save ""', "appendonly no"]
        config = _secret_file(folder / "redis.conf", "\n".join(lines) + "\n", owner)
        with _running([program, str(config)], folder, owner, lambda: _accepts_connections(port)) as server:
            server.url = f"redis://:{password}@{HOST}:{port}/0"
            yield server


def _accepts_connections(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _secret_file(path: Path, text: str, owner: Owner) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    if owner.user is not None and owner.group is not None:
        os.chown(path, owner.user, owner.group)
    return path


@contextmanager
def _running(command: list[str], folder: Path, owner: Owner, is_ready: Callable[[], bool]) -> Iterator[Server]:
    server = Server(command, folder, owner, is_ready)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _wait_until_ready(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = monotonic() + MAX_WAIT
    pause = threading.Event()
    while process.poll() is None and monotonic() < deadline:
        if is_ready():
            return
        pause.wait(0.05)
    raise ServerError(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-2000:]}")
