"""Back-up and restore of the tests' own database, by the very programs that docs/backup.md names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from django.db import connection

from tests.servers import postgresql_folder


def back_up(folder: Path) -> Path:
    """The file of a backup, taken while the database is in use."""
    file = folder / "backup"
    if connection.vendor == "sqlite":
        database = str(connection.settings_dict["NAME"])
        _run([sys.executable, "-m", "sqlite3", database, f"VACUUM INTO '{file}'"])
    else:
        _run([_program("pg_dump"), "--format=custom", f"--file={file}", *_where()])
    return file


def put_back(file: Path) -> None:
    """The database becomes what it was; connections to it end."""
    connection.close()
    if connection.vendor == "sqlite":
        database = Path(str(connection.settings_dict["NAME"]))
        for rest in ("-wal", "-shm"):
            database.with_name(database.name + rest).unlink(missing_ok=True)
        shutil.copyfile(file, database)
    else:
        _run([_program("pg_restore"), "--clean", "--if-exists", "--no-owner", "--exit-on-error", *_where(), str(file)])


def _program(name: str) -> str:
    folder = postgresql_folder()
    return str(folder / name) if folder else name


def _where() -> list[str]:
    conf = connection.settings_dict
    user = [f"--username={conf['USER']}"] if conf["USER"] else []
    return [f"--host={conf['HOST']}", f"--port={conf['PORT']}", *user, "--no-password", f"--dbname={conf['NAME']}"]


def _run(words: list[str]) -> None:
    """The password of PostgreSQL goes by the environment, as its programs want it."""
    environment = {**os.environ, "PGPASSWORD": str(connection.settings_dict.get("PASSWORD") or "")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
