"""`make test-services`: tests/services, and every test that uses the database once more, on PostgreSQL.

Starts servers of its own unless DATABASE_URL or REDIS_URL name others, and stops them whatever happens. It installs
only what is missing, only as root, and says in one line what is left out otherwise.
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
    """Debian's names of what is not here."""
    found = {
        "postgresql": servers.postgresql_folder() is not None or "DATABASE_URL" in os.environ,
        "redis-server": servers.redis_server() is not None or "REDIS_URL" in os.environ,
        "tshark": shutil.which("tshark") is not None,
    }
    return [package for package in PACKAGES if not found[package]]


def install(packages: list[str]) -> None:
    """Debian's postgresql would start a server of its own: only its programs are wanted."""
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PG_CREATE_MAIN_CLUSTER": "false"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *words], env=quiet, check=False)


def environment(stack: ExitStack) -> dict[str, str]:
    """What the tests find in theirs: the addresses of the servers that there are."""
    urls = {"DEXPORTAL_SERVICES": "1"}
    if "DATABASE_URL" not in os.environ and servers.postgresql_folder():
        urls["DATABASE_URL"] = stack.enter_context(servers.postgresql())
    if "REDIS_URL" not in os.environ and servers.redis_server():
        urls["REDIS_URL"] = stack.enter_context(servers.redis())
    return {**os.environ, **urls}


def stop(number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C does: through every `finally`, so that the servers go too."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def run_tests(given: dict[str, str], arguments: list[str]) -> int:
    where = ["tests/services", *(["tests"] if "DATABASE_URL" in given else [])]
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "auto",
        "--dist",
        "worksteal",
        "-m",
        "not browser",
        *where,
        *arguments,
    ]
    with subprocess.Popen(words, cwd=ROOT, env=given) as tests:
        try:
            return tests.wait()
        except KeyboardInterrupt:
            tests.terminate()
            raise


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, stop)
    if absent := missing():
        install(absent)
    for package in missing():
        print(f"test-services: {PACKAGES[package]} is not here, and what needs it is not collected.")
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
