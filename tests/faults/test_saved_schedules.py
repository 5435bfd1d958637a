"""Saved schedules that once led to a lost, doubled or stuck command, run again."""

from pathlib import Path

import pytest

from tests.faults.chaos_process import run_chaos
from tests.faults.schedule import SCHEDULES

SAVED = sorted(SCHEDULES.glob("*.json"))


@pytest.mark.parametrize("schedule", SAVED, ids=[path.stem for path in SAVED])
def test_schedule_that_failed_before_passes(schedule: Path) -> None:
    status, output = run_chaos(["--schedule", str(schedule)])
    assert status == 0, output
