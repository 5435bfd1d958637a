"""Backup and restore of the test database, with the programs that docs/backup.md names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from django.db import connection

from tests.polling import MAX_WAIT
from tests.servers import postgresql_folder


def back_up(folder: Path) -> Path:
    """Write a backup while the database is in use, and return its file."""
    file = folder / "backup"
    if connection.vendor == "sqlite":
        database = str(connection.settings_dict["NAME"])
        _run([sys.executable, "-m", "sqlite3", database, f"VACUUM INTO '{file}'"])
    else:
        _run([_program("pg_dump"), "--format=custom", f"--file={file}", *_connection_arguments()])
    return file


def restore_backup(file: Path) -> None:
    """Replace the database with the backup. This closes the connection to the database."""
    connection.close()
    if connection.vendor == "sqlite":
        database = Path(str(connection.settings_dict["NAME"]))
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(file, database)
    else:
        _run(
            [
                _program("pg_restore"),
                "--clean",
                "--if-exists",
                "--no-owner",
                "--exit-on-error",
                *_connection_arguments(),
                str(file),
            ]
        )


def _program(name: str) -> str:
    folder = postgresql_folder()
    return str(folder / name) if folder else name


def _connection_arguments() -> list[str]:
    conf = connection.settings_dict
    user = [f"--username={conf['USER']}"] if conf["USER"] else []
    return [f"--host={conf['HOST']}", f"--port={conf['PORT']}", *user, "--no-password", f"--dbname={conf['NAME']}"]


def _run(command: list[str]) -> None:
    """Run a program. PostgreSQL's programs read the password from the environment."""
    environment = {**os.environ, "PGPASSWORD": str(connection.settings_dict.get("PASSWORD") or "")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=MAX_WAIT, check=False)
    assert done.returncode == 0, done.stderr
