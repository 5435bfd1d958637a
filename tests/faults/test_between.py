"""What befalls exactly between a POST and its record: real servers, a real worker, one command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.running import ROOT, WITHIN

SENT = [["asked", "", "queued", "person"], ["moved", "queued", "sending", "portal"]]


def played(folder: Path, scene: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "tests.faults.between", str(folder), scene]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["outcome"] == "created"
    assert told["ledger"] == [told["remote_id"]]
    return told


def test_the_answer_is_recorded_by_the_worker_that_has_it_though_the_database_was_restarted(tmp_path: Path) -> None:
    told = played(tmp_path, "restart")
    assert told["events"] == [*SENT, ["moved", "sending", "PENDING_EXEC", "cloudflare"]]


def test_an_answer_that_comes_after_the_lease_is_recorded_all_the_same(tmp_path: Path) -> None:
    told = played(tmp_path, "late")
    late = [["moved", "sending", "uncertain", "portal"], ["moved", "uncertain", "PENDING_EXEC", "cloudflare"]]
    assert told["events"] == [*SENT, *late]
