"""The commands of docs/backup.md for the embedded database, as somebody runs them, day after day."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "backup.md").read_text()
FILE = "0190/one.zip"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A folder like the portal's, whose database is in use: what was committed last stands beside it."""
    for folder in (".venv/bin", "bin", "var/artifacts/0190"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "var" / "artifacts" / FILE).write_bytes(b"first")
    with closing(sqlite3.connect(tmp_path / "var" / "dexportal.sqlite3", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE done (day TEXT)")
        yield database


def _sh(order: str, folder: Path, day: str) -> int:
    """By a shell whose `date` says that day."""
    date = folder / "bin" / "date"
    date.write_text(f'#!/bin/sh\n[ "$*" = +%F ] && echo {day}\n')
    date.chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", order], cwd=folder, env={"PATH": path}, capture_output=True, timeout=60, check=False
    )
    return done.returncode


def _backup(folder: Path, day: str) -> int:
    [order] = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "VACUUM INTO" in block]
    return _sh(order, folder, day)


def _restore(folder: Path, day: str) -> int:
    """The steps of the database and of the artifacts."""
    orders = [
        order for order in re.findall(r"`([^`\n]+)`", TEXT) if "backup/2026-11-26/" in order and "pg_" not in order
    ]
    assert len(orders) == 2
    return _sh("set -e\n" + "\n".join(orders).replace("2026-11-26", day), folder, day)


def _days(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return [day for (day,) in database.execute("SELECT day FROM done ORDER BY day")]


def test_every_day_has_a_whole_backup_of_its_own_that_nobody_else_can_read(
    portal: sqlite3.Connection, tmp_path: Path
) -> None:
    for day in ("2026-11-26", "2026-11-27"):
        portal.execute("INSERT INTO done VALUES (?)", [day])
        (tmp_path / "var" / "artifacts" / "0190" / f"{day}.zip").write_bytes(b"later")
        assert _backup(tmp_path, day) == 0
    first, second = sorted((tmp_path / "backup").iterdir())
    assert _days(first / "dexportal.sqlite3") == ["2026-11-26"]
    assert _days(second / "dexportal.sqlite3") == ["2026-11-26", "2026-11-27"]
    assert sorted(path.name for path in (first / "artifacts" / "0190").iterdir()) == ["2026-11-26.zip", "one.zip"]
    assert len(list((second / "artifacts" / "0190").iterdir())) == 3
    assert {first.stat().st_mode & 0o777, second.stat().st_mode & 0o777} == {0o700}


def test_a_backup_that_is_there_is_not_touched_and_one_that_failed_is_not_taken_for_whole(
    portal: sqlite3.Connection, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "var" / "artifacts")  # as before the first file was stored
    (tmp_path / "backup").write_text("in the way")
    assert _backup(tmp_path, "2026-11-26") != 0
    (tmp_path / "backup").unlink()
    half = tmp_path / "backup" / "2026-11-26.part"
    half.mkdir(parents=True)
    (half / "dexportal.sqlite3").write_text("half of it")
    assert _backup(tmp_path, "2026-11-26") == 0
    portal.execute("INSERT INTO done VALUES ('later')")
    assert _backup(tmp_path, "2026-11-26") != 0
    [whole] = (tmp_path / "backup").iterdir()
    assert _days(whole / "dexportal.sqlite3") == []


def test_the_restore_puts_back_what_was_and_leaves_files_that_are_there(
    portal: sqlite3.Connection, tmp_path: Path
) -> None:
    assert _backup(tmp_path, "2026-11-27") == 0
    portal.execute("INSERT INTO done VALUES ('later')")
    portal.close()
    artifacts = tmp_path / "var" / "artifacts"
    (artifacts / FILE).unlink()
    (artifacts / "0190" / "newer.zip").write_bytes(b"newer")
    assert _restore(tmp_path, "2026-11-27") == 0
    assert _days(tmp_path / "var" / "dexportal.sqlite3") == []
    assert (artifacts / FILE).read_bytes() == b"first"
    assert (artifacts / "0190" / "newer.zip").exists()
    assert not (artifacts / "artifacts").exists()
