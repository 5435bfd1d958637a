"""PostgreSQL restarted exactly between a POST and its record: real servers, a real worker, one command."""

import json
import subprocess
import sys
from pathlib import Path

from tests.faults.running import ROOT, WITHIN


def test_the_answer_is_recorded_by_the_worker_that_has_it_though_the_database_was_restarted(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.faults.between", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["events"] == [
        ["asked", "", "queued", "person"],
        ["moved", "queued", "sending", "portal"],
        ["moved", "sending", "PENDING_EXEC", "cloudflare"],
    ]
    assert told["outcome"] == "created"
    assert told["ledger"] == [told["remote_id"]]
