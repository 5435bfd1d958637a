"""Completeness of `docs/simulator.md`: settings, faults, controls."""

from dataclasses import fields
from pathlib import Path

import pytest

from simulator.config import AccountConfig, Config
from simulator.controls import PATHS
from simulator.faults import EFFECTS, Effect, Match

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
SETTINGS = [field.name for shape in (AccountConfig, Config, Effect, Match) for field in fields(shape)]


@pytest.mark.parametrize("name", sorted({*SETTINGS, *EFFECTS, *PATHS}))
def test_page_names_every_setting_fault_and_control(name: str) -> None:
    assert name in TEXT
