"""A mock server that somebody else's program, Prism, makes from Cloudflare's document answers the portal's client.

Prism comes from the npm registry at the first run and stays under `build/`. 5.14.2 is the last one for Node 18 to 22.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import requests

from commands.cloudflare.auth import TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.types import NewCommand
from tests.processes import started
from tests.services.document import DOCUMENT
from tests.services.recorder import Recorder, recording
from tests.simulator_process import ROOT

PRISM = "5.14.2"
INSTALL_WITHIN, START_WITHIN = 300.0, 60.0
LISTENING = re.compile(r"listening on (http://\S+)")


def installed() -> Path:
    """Its folder; whoever comes second uses what the first one put there."""
    folder = ROOT / "build" / f"prism-{PRISM}"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        fresh = Path(mkdtemp(prefix="prism-", dir=folder.parent))
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh)]
        subprocess.run([*words, f"@stoplight/prism-cli@{PRISM}"], check=True, timeout=INSTALL_WITHIN, cwd=fresh)
        try:
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh)
    return folder


def address(line: str) -> str | None:
    found = LISTENING.search(line)
    return found.group(1) if found else None


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    """Its base URL. It answers with fixed values, so that what it says is the same each time."""
    program = installed() / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    words = ["node", str(program), "mock", "--port", "0", "--host", "127.0.0.1", str(DOCUMENT)]
    env = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "0"}
    with started(words, ready=address, within=START_WITHIN, cwd=ROOT, env=env) as (_, base_url):
        yield base_url


@pytest.fixture
def recorder(prism: str) -> Iterator[Recorder]:
    with recording(prism) as running:
        yield running


@pytest.fixture
def client(recorder: Recorder) -> Iterator[Client]:
    with Client(recorder.base_url, "0123456789abcdef0123456789abcdef", TokenAuth("any-token")) as client:
        yield client


def check(recorder: Recorder) -> None:
    """Prism answered every request, and had nothing to say against it."""
    assert recorder.exchanges
    for exchange in recorder.exchanges:
        assert exchange.status == 200
        assert '"request"' not in exchange.answer_headers.get("sl-violations", "")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pcap", {"time-limit-min": 5, "max-file-size-mb": 5, "packet-size-bytes": 160}),
        ("warp-diag", {"test-all-routes": True}),
        ("speed-test", {"interfaces": ["default"]}),
        ("pcap", {}),
    ],
)
def test_it_takes_each_kind_of_command(kind: str, options: dict[str, Any], client: Client, recorder: Recorder) -> None:
    (made,) = client.create([NewCommand("device", kind, "ada@example.com", "registration", options)]).created
    assert (made.id, made.status) == ("string", "PENDING_EXEC")
    check(recorder)


def test_its_listing_is_read(client: Client, recorder: Recorder) -> None:
    now = datetime.now(UTC)
    page = client.list_commands(1, from_=now, to=now, device_id="x", user_email="a@b.c", kind="pcap", status="FAILED")
    (row,) = page.rows
    assert row.created_date is not None
    assert page.unreadable == 0
    check(recorder)


def test_its_devices_and_their_old_form_of_time_are_read(client: Client, recorder: Recorder) -> None:
    (row,) = client.list_devices(1, search="ada").rows
    assert (row.platform, row.status) == ("windows", "connected")
    assert row.seen_at == datetime(2023, 10, 11, tzinfo=UTC)
    check(recorder)


def test_its_quota_is_read(client: Client, recorder: Recorder) -> None:
    quota = client.quota()
    assert (quota.total, quota.used) == (0, 0)
    assert quota.reset_at is not None
    check(recorder)


def test_it_would_not_have_taken_a_wrong_request(recorder: Recorder) -> None:
    address = f"{recorder.base_url}/accounts/x/dex/commands"
    answer = requests.post(address, json={"commands": [{}]}, headers={"Authorization": "Bearer x"}, timeout=30)
    assert 400 <= answer.status_code < 500
