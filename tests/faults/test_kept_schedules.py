"""Schedules under which something was lost, doubled or stuck once, run again."""

from pathlib import Path

import pytest

from tests.faults.running import chaos
from tests.faults.schedule import SCHEDULES

KEPT = sorted(SCHEDULES.glob("*.json"))


@pytest.mark.parametrize("schedule", KEPT, ids=[path.stem for path in KEPT])
def test_a_schedule_that_failed_once_fails_no_more(schedule: Path) -> None:
    status, said = chaos(["--schedule", str(schedule)])
    assert status == 0, said
