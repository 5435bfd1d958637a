"""Fixtures of a simulator for each test module, reset before every test, and of a portal that calls it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.models import Command
from tests.actions.world import DIAG, QUICK_END, MovedClock, World, moved_database_clock
from tests.simulator.in_process import LocalSimulator
from tests.wording_keys import keys_for_sentences


@pytest.fixture(autouse=True)
def sentences_are_keys() -> Iterator[None]:
    """Replace sentences for one test at a time, because a worker of xdist runs tests of other folders too."""
    with keys_for_sentences():
        yield


@pytest.fixture(scope="module")
def _running() -> Iterator[tuple[LocalSimulator, MovedClock]]:
    clock = MovedClock()
    with LocalSimulator(clock=clock) as running:
        yield running, clock


@pytest.fixture
def world(
    _running: tuple[LocalSimulator, MovedClock], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """Point the portal at the simulator. The test itself requests the database, with or without commits."""
    running, clock = _running
    clock.start()
    running.control("POST", "reset", {"config": True})
    settings.UPSTREAM = replace(settings.UPSTREAM, url=f"http://127.0.0.1:{running.port}/client/v4")
    settings.BROKER_DIR = tmp_path / "broker"
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "artifacts")},
        },
    }
    world = World(running, clock)
    moved_database_clock(world, monkeypatch)
    return world


@pytest.fixture
def done(world: World) -> Command:
    """Return a WARP diag that has ended and whose file can be downloaded."""
    command = world.sent(options=DIAG)
    world.forward(QUICK_END)
    assert world.sync()
    return world.reload(command)
