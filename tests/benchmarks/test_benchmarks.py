"""Every benchmark still runs: at a tiny size, for its rows and never for its times."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import ask, claims, send, sync
from benchmarks.figures import Row, row, times_floor

COLUMNS = {"name", "value", "unit", "floor", "ratio", "goal", "met"}


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Path) -> None:
    settings.BROKER_DIR = tmp_path / "broker"


def _checked(rows: list[Row]) -> list[Row]:
    for one in rows:
        assert set(one) == COLUMNS
        assert isinstance(one["value"], float | int)
        assert one["value"] > 0
        assert isinstance(one["floor"], float | int)
        assert one["floor"] > 0
    return rows


@pytest.mark.django_db
def test_asking_is_measured() -> None:
    assert len(_checked(ask.measure(devices=6, rounds=1))) == 2


@pytest.mark.django_db(transaction=True)
def test_sending_is_measured_and_takes_no_post_too_many() -> None:
    _, posts = _checked(send.measure(devices=12, latency=0))
    assert (posts["value"], posts["met"]) == (2, True)


@pytest.mark.django_db
def test_a_sync_is_measured_and_takes_no_call_too_many() -> None:
    calls, *_ = _checked(sync.measure(commands=12, rounds=1))
    assert (calls["value"], calls["met"]) == (1, True)


@pytest.mark.django_db
def test_claims_are_measured() -> None:
    assert len(_checked(claims.measure(queued=320, rounds=2))) == 2


def test_a_goal_is_the_most_that_a_value_may_be_or_so_many_floors() -> None:
    assert row("a", 5, "s", floor=1, goal=5)["met"]
    assert not row("a", 5.1, "s", floor=1, goal=5)["met"]
    assert times_floor("a", 5, "s", floor=2.5, goal=2)["met"]
    assert not times_floor("a", 5, "s", floor=2.4, goal=2)["met"]


def test_make_bench_finds_every_benchmark_and_nothing_else() -> None:
    folder = Path(bench.__file__).parent
    told = {file.stem for file in folder.glob("*.py") if "\ndef measure(" in file.read_text()}
    assert set(bench.names()) == told
    assert set(bench.SQLITE_TOO) | set(bench.NEEDS_REDIS) <= told


def test_a_benchmark_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["nothing-of-that-name"]) == 2
    assert "there is no nothing-of-that-name" in capsys.readouterr().err


def test_a_benchmark_gets_nobody_elses_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody@elsewhere.example.com/theirs")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-real-one")
    given = bench._environment({"VAR_DIR": "/nowhere"})
    assert given["VAR_DIR"] == "/nowhere"
    assert not {"DATABASE_URL", "CLOUDFLARE_API_TOKEN"} & set(given)
