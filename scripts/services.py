"""Tests that need services, as `make test-services` runs them.

They are tests/services, tests/faults, and once more, on PostgreSQL, every test that uses the database. The run starts
its own servers, unless DATABASE_URL or REDIS_URL name others, and always stops them. Missing programs are installed
only when the user is root. Otherwise one line for each says that the tests that need it are not collected.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from tests import servers

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"postgresql": "PostgreSQL", "redis-server": "Redis", "tshark": "tshark"}


def missing() -> list[str]:
    """Return the Debian packages whose programs are not installed."""
    available = {
        "postgresql": servers.postgresql_folder() is not None or "DATABASE_URL" in os.environ,
        "redis-server": servers.redis_server() is not None or "REDIS_URL" in os.environ,
        "tshark": shutil.which("tshark") is not None,
    }
    return [package for package in PACKAGES if not available[package]]


def install(packages: list[str]) -> None:
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return
    # Without a main cluster, Debian's postgresql package starts no server. Only its programs are needed.
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PG_CREATE_MAIN_CLUSTER": "false"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *arguments], env=settings, check=False)


def environment(stack: ExitStack) -> dict[str, str]:
    """Start the servers that can be started, and return an environment that holds their addresses."""
    urls = {"DEXPORTAL_SERVICES": "1"}
    if "DATABASE_URL" not in os.environ and servers.postgresql_folder():
        urls["DATABASE_URL"] = stack.enter_context(servers.postgresql())
    if "REDIS_URL" not in os.environ and servers.redis_server():
        urls["REDIS_URL"] = stack.enter_context(servers.redis())
    return {**os.environ, **urls}


def stop(number: int, _frame: FrameType | None) -> None:
    """Stop like Ctrl-C, through every `finally`, so that no server keeps running."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def run_tests(variables: dict[str, str], arguments: list[str]) -> int:
    folders = ["tests/services", *(["tests"] if "DATABASE_URL" in variables else [])]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "auto",
        "--dist",
        "worksteal",
        "-m",
        "not browser",
        *folders,
        *arguments,
    ]
    with subprocess.Popen(command, cwd=ROOT, env=variables) as tests:
        try:
            return tests.wait()
        except KeyboardInterrupt:
            tests.terminate()
            raise


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, stop)
    if packages := missing():
        install(packages)
    for package in missing():
        print(f"test-services: {PACKAGES[package]} is not installed, so what needs it is not collected.")
    try:
        with ExitStack() as stack:
            return run_tests(environment(stack), arguments)
    except servers.ServerError as problem:
        print(f"test-services: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
