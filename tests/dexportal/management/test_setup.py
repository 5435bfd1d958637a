"""`manage.py setup` on databases that other versions of the code made."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.dexportal.portals import run


def test_setup_refuses_a_database_from_before_the_first_release(tmp_path: Path) -> None:
    file = tmp_path / "dexportal.sqlite3"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied text)")
        database.executemany(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('commands', ?, '2026-11-01 00:00:00')",
            [("0001_initial",), ("0002_events_append_only",), ("0007_pauses_told",)],
        )
    done = run({"VAR_DIR": str(tmp_path)}, "manage.py", "setup", "--verbosity", "0")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"the file {file} was made by another version of dexportal" in done.stderr
    assert "0007_pauses_told" in done.stderr
    assert "move it away" in done.stderr
    with closing(sqlite3.connect(file)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"django_migrations"}, "setup changed the database before it refused it"


def test_setup_accepts_the_database_that_it_has_made(tmp_path: Path) -> None:
    for _ in range(2):
        done = run({"VAR_DIR": str(tmp_path)}, "manage.py", "setup", "--verbosity", "0")
        assert done.returncode == 0, done.stderr
