"""Tests of events between a POST and its record, with real servers, a real worker and one command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.chaos_process import ROOT, WITHIN

SENT = [["requested", "", "queued", "person"], ["moved", "queued", "sending", "portal"]]


def run_scene(folder: Path, scene: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.faults.post_record_gap", str(folder), scene]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["outcome"] == "created"
    assert result["ledger"] == [result["remote_id"]]
    return result


def test_worker_records_its_response_after_a_restart_of_the_database(tmp_path: Path) -> None:
    result = run_scene(tmp_path, "restart")
    assert result["events"] == [*SENT, ["moved", "sending", "PENDING_EXEC", "cloudflare"]]


def test_response_after_the_end_of_the_lease_is_recorded(tmp_path: Path) -> None:
    result = run_scene(tmp_path, "late")
    late = [["moved", "sending", "uncertain", "portal"], ["moved", "uncertain", "PENDING_EXEC", "cloudflare"]]
    assert result["events"] == [*SENT, *late]
