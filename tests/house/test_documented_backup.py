"""Tests of the commands that docs/backup.md gives for the embedded database, run on several days."""

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

from tests.polling import MAX_WAIT

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "backup.md").read_text()
FILE = "0190/one.zip"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Make a folder like the portal's, with a database in use, whose last commits are still in its write-ahead log."""
    for folder in (".venv/bin", "bin", "var/artifacts/0190"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "var" / "artifacts" / FILE).write_bytes(b"first")
    with closing(sqlite3.connect(tmp_path / "var" / "dexportal.sqlite3", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE done (day TEXT)")
        yield database


def _run_in_shell(commands: str, folder: Path, day: str) -> int:
    """Run the commands in a shell whose `date` prints that day, and return the exit status."""
    date = folder / "bin" / "date"
    date.write_text(f'#!/bin/sh\n[ "$*" = +%F ] && echo {day}\n')
    date.chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    process = subprocess.run(
        ["/bin/sh", "-c", commands], cwd=folder, env={"PATH": path}, capture_output=True, timeout=MAX_WAIT, check=False
    )
    return process.returncode


def _backup(folder: Path, day: str) -> int:
    [commands] = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "VACUUM INTO" in block]
    return _run_in_shell(commands, folder, day)


def _restore(folder: Path, day: str) -> int:
    """Run the two documented steps, for the database and for the artifacts."""
    quoted = re.findall(r"`([^`\n]+)`", TEXT)
    commands = [text for text in quoted if "backup/2026-11-26/" in text and "pg_" not in text]
    assert len(commands) == 2
    return _run_in_shell("set -e\n" + "\n".join(commands).replace("2026-11-26", day), folder, day)


def _days(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return [day for (day,) in database.execute("SELECT day FROM done ORDER BY day")]


def test_each_day_gets_a_complete_backup_that_only_its_owner_can_read(
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


def test_existing_backup_is_not_changed_and_a_failed_one_is_replaced(
    portal: sqlite3.Connection, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "var" / "artifacts")  # a portal that has not stored a file yet
    (tmp_path / "backup").write_text("in the way")
    assert _backup(tmp_path, "2026-11-26") != 0
    (tmp_path / "backup").unlink()
    unfinished = tmp_path / "backup" / "2026-11-26.part"
    unfinished.mkdir(parents=True)
    (unfinished / "dexportal.sqlite3").write_text("unfinished")
    assert _backup(tmp_path, "2026-11-26") == 0
    portal.execute("INSERT INTO done VALUES ('later')")
    assert _backup(tmp_path, "2026-11-26") != 0
    [backup] = (tmp_path / "backup").iterdir()
    assert _days(backup / "dexportal.sqlite3") == []


def test_restore_brings_back_the_database_and_files_and_keeps_newer_files(
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
