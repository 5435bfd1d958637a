"""`docs/simulator.md` names every knob, every fault and every control."""

from dataclasses import fields
from pathlib import Path

import pytest

from simulator.config import AccountConfig, Config
from simulator.controls import PATHS
from simulator.faults import EFFECTS, Effect, Match

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
KNOBS = [field.name for shape in (AccountConfig, Config, Effect, Match) for field in fields(shape)]


@pytest.mark.parametrize("name", sorted({*KNOBS, *EFFECTS, *PATHS}))
def test_the_page_names(name: str) -> None:
    assert name in TEXT
