"""Every benchmark runs at a tiny size. The tests check its rows, never its times."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import claims, send, submit, sync
from benchmarks.results import ResultRow, result_row, result_row_by_ratio

COLUMNS = {"name", "value", "unit", "floor", "ratio", "goal", "met"}


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Path) -> None:
    settings.BROKER_DIR = tmp_path / "broker"


def _check_rows(rows: list[ResultRow]) -> list[ResultRow]:
    for result in rows:
        assert set(result) == COLUMNS
        assert isinstance(result["value"], float | int)
        assert result["value"] > 0
        assert isinstance(result["floor"], float | int)
        assert result["floor"] > 0
    return rows


@pytest.mark.django_db
def test_submit_benchmark_runs() -> None:
    assert len(_check_rows(submit.measure(devices=6, rounds=1))) == 2


@pytest.mark.django_db(transaction=True)
def test_send_benchmark_runs_with_the_fewest_posts() -> None:
    _, posts = _check_rows(send.measure(devices=12, latency=0))
    assert (posts["value"], posts["met"]) == (2, True)


@pytest.mark.django_db
def test_sync_benchmark_runs_with_the_fewest_calls() -> None:
    calls, *_ = _check_rows(sync.measure(commands=12, rounds=1))
    assert (calls["value"], calls["met"]) == (1, True)


@pytest.mark.django_db
def test_claims_benchmark_runs() -> None:
    assert len(_check_rows(claims.measure(queued=320, rounds=2))) == 2


def test_goal_is_the_largest_value_or_the_largest_ratio_to_the_floor() -> None:
    assert result_row("a", 5, "s", floor=1, goal=5)["met"]
    assert not result_row("a", 5.1, "s", floor=1, goal=5)["met"]
    assert result_row_by_ratio("a", 5, "s", floor=2.5, goal=2)["met"]
    assert not result_row_by_ratio("a", 5, "s", floor=2.4, goal=2)["met"]


def test_make_bench_finds_exactly_the_modules_that_measure() -> None:
    folder = Path(bench.__file__).parent
    modules = {file.stem for file in folder.glob("*.py") if "\ndef measure(" in file.read_text()}
    assert set(bench.names()) == modules
    assert set(bench.ALSO_ON_SQLITE) | set(bench.NEEDS_REDIS) <= modules


def test_unknown_benchmark_is_rejected_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["nothing-of-that-name"]) == 2
    assert "unknown benchmark: nothing-of-that-name" in capsys.readouterr().err


def test_benchmark_inherits_no_database_and_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody@elsewhere.example.com/theirs")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-real-token")
    environment = bench._environment({"VAR_DIR": "/nowhere"})
    assert environment["VAR_DIR"] == "/nowhere"
    assert not {"DATABASE_URL", "CLOUDFLARE_API_TOKEN"} & set(environment)
