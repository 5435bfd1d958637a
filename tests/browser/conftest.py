"""Fixtures of a whole portal in its own processes, and of Chromium.

The portal is `python -m dexportal.run` with the simulator, on a free port and in a folder of its own. Fixtures do not
use the database. Tests check the pages and the simulator's ledger.
"""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.polling import MAX_WAIT
from tests.processes import running_process

ROOT = Path(__file__).resolve().parent.parent.parent
expect.set_options(timeout=1000 * MAX_WAIT)  # milliseconds

FASTER = {"TIME_SCALE": "5", "SIMULATOR_SPEED": "60"}  # a capture of two minutes takes two seconds


@dataclass(frozen=True)
class Portal:
    url: str
    upstream: str  # the simulator's `/client/v4`
    account: str
    password: str
    var: Path  # VAR_DIR
    pid: int  # of the supervisor

    def upstream_json(self, path: str) -> Any:
        """Return the JSON of the simulator's response to a GET below /client/v4."""
        return json.loads(self.upstream_bytes(path))

    def upstream_bytes(self, path: str) -> bytes:
        """Return the body of the simulator's response to a GET below /client/v4."""
        return _bytes(f"{self.upstream}{path}", {"Authorization": "Bearer simulator-token-not-a-secret"})

    def control(self, name: str) -> Any:
        """Return the JSON of one of the simulator's controls, such as `ledger` or `world`."""
        return json.loads(_bytes(f"{self.upstream.removesuffix('/client/v4')}/_sim/{name}", {}))

    def ledger(self) -> Any:
        return self.control("ledger")


def _bytes(url: str, headers: dict[str, str]) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=MAX_WAIT) as answer:
        return bytes(answer.read())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    port, password = _free_port(), secrets.token_urlsafe(12)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    folder = tmp_path_factory.mktemp("portal")
    given = {"VAR_DIR": str(folder / "var"), "PORT": str(port), "DEXPORTAL_DEMO_PASSWORD": password, **FASTER}
    account: list[str] = []

    def ready(line: str) -> tuple[str, str] | None:
        if match := re.search(r"\(([0-9a-z]+)\) at (http\S+/client/v4)", line):
            account.extend(match.groups())
        return (account[0], account[1]) if account and "The portal is at" in line else None

    arguments = [sys.executable, "-m", "dexportal.run"]
    with running_process(arguments, ready=ready, cwd=ROOT, env=environment | given) as (process, (number, upstream)):
        yield Portal(f"http://127.0.0.1:{port}", upstream, number, password, folder / "var", process.pid)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": os.environ.get("CHROMIUM") or _browser(), "args": quiet + sandbox}


def _browser() -> str:
    return subprocess.run([ROOT / "scripts" / "browser"], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 860}}


REFUSED = "Failed to load resource: the server responded with a status of "
BREACHES = """
document.addEventListener("securitypolicyviolation", (breach) =>
  console.error(`policy: ${breach.effectiveDirective} ${breach.sourceFile}:${breach.lineNumber}`));
"""


class Complaints:
    """Errors on the console of any page of a test, and breaches of its policy."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._refusals: set[str] = set()

    def expect_status(self, *statuses: int) -> None:
        """Accept responses with these statuses, which Chromium logs as errors."""
        self._refusals |= {f"{REFUSED}{status} " for status in statuses}

    def add(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not error.startswith(tuple(self._refusals))]


@pytest.fixture(autouse=True)
def complaints(context: BrowserContext) -> Iterator[Complaints]:
    """Fail the test at its end if a page logged an error that the test does not expect."""
    context.set_default_timeout(1000 * MAX_WAIT)
    complaints = Complaints()
    context.add_init_script(BREACHES)
    context.on("console", complaints.add)
    context.on("weberror", lambda error: complaints.errors.append(str(error.error)))
    yield complaints
    assert not complaints.unexpected()


@pytest.fixture
def desk(page: Page, portal: Portal) -> Page:
    """Return the desk, with the helpdesk person signed in."""
    sign_in(page, portal, "helpdesk")
    return page


def sign_in(page: Page, portal: Portal, name: str) -> None:
    page.goto(f"{portal.url}/accounts/login/")
    page.get_by_label("User name or email").fill(name)
    page.get_by_label("Password", exact=True).fill(portal.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{portal.url}/")
