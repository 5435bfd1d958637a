"""Tests of the portal's client against Prism, an independent mock server generated from Cloudflare's OpenAPI document.

Prism comes from the npm registry at the first run and stays under `build/`. 5.14.2 is the last version for Node 18 to
22.
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
from tests.polling import MAX_WAIT
from tests.processes import running_process
from tests.services.openapi_document import DOCUMENT
from tests.services.recorder import Recorder, recording
from tests.simulator_process import ROOT

PRISM = "5.14.2"
INSTALL_WITHIN = 300.0  # seconds, to fetch it
LISTENING = re.compile(r"listening on (http://\S+)")


def install_prism() -> Path:
    """Return Prism's folder. Concurrent installations are harmless: the first one to finish is used by all."""
    folder = ROOT / "build" / f"prism-{PRISM}"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        temporary = Path(mkdtemp(prefix="prism-", dir=folder.parent))
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(temporary)]
        subprocess.run([*command, f"@stoplight/prism-cli@{PRISM}"], check=True, timeout=INSTALL_WITHIN, cwd=temporary)
        try:
            temporary.rename(folder)
        except OSError:
            shutil.rmtree(temporary)
    return folder


def address(line: str) -> str | None:
    match = LISTENING.search(line)
    return match.group(1) if match else None


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    """Start Prism with fixed response values, and return its base URL."""
    program = install_prism() / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    command = ["node", str(program), "mock", "--port", "0", "--host", "127.0.0.1", str(DOCUMENT)]
    env = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "0"}
    with running_process(command, ready=address, cwd=ROOT, env=env) as (_, base_url):
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
    """Check that Prism accepted every request without a violation."""
    assert recorder.exchanges
    for exchange in recorder.exchanges:
        assert exchange.status == 200
        assert '"request"' not in exchange.response_headers.get("sl-violations", "")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pcap", {"time-limit-min": 5, "max-file-size-mb": 5, "packet-size-bytes": 160}),
        ("warp-diag", {"test-all-routes": True}),
        ("speed-test", {"interfaces": ["default"]}),
        ("pcap", {}),
    ],
)
def test_prism_accepts_each_kind_of_command(
    kind: str, options: dict[str, Any], client: Client, recorder: Recorder
) -> None:
    (created,) = client.create([NewCommand("device", kind, "ada@example.com", "registration", options)]).created
    assert (created.id, created.status) == ("string", "PENDING_EXEC")
    check(recorder)


def test_client_reads_the_listing(client: Client, recorder: Recorder) -> None:
    now = datetime.now(UTC)
    page = client.list_commands(1, from_=now, to=now, device_id="x", user_email="a@b.c", kind="pcap", status="FAILED")
    (row,) = page.rows
    assert row.created_date is not None
    assert page.unreadable == 0
    check(recorder)


def test_client_reads_devices_with_old_time_format(client: Client, recorder: Recorder) -> None:
    (row,) = client.list_devices(1, search="ada").rows
    assert (row.platform, row.status) == ("windows", "connected")
    assert row.seen_at == datetime(2023, 10, 11, tzinfo=UTC)
    check(recorder)


def test_client_reads_the_quota(client: Client, recorder: Recorder) -> None:
    quota = client.quota()
    assert (quota.total, quota.used) == (0, 0)
    assert quota.reset_at is not None
    check(recorder)


def test_prism_rejects_an_invalid_request(recorder: Recorder) -> None:
    address = f"{recorder.base_url}/accounts/x/dex/commands"
    response = requests.post(address, json={"commands": [{}]}, headers={"Authorization": "Bearer x"}, timeout=MAX_WAIT)
    assert 400 <= response.status_code < 500
