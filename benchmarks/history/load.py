"""Rows into the database by the quickest road: files under build/, indexes last, one transaction.

Owns the files (kept between runs) and the taking down and putting up of indexes. It knows SQLite and PostgreSQL, and
nothing of what the rows mean.
"""

import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

_NULL = "\\N"
_KEPT = 3  # sets of files


def files(folder: Path, key: str, tables: Iterable[str], rows: Iterable[tuple[str, Sequence[str | None]]]) -> Path:
    """The folder with a file a table, in PostgreSQL's text format; written unless it is there from an earlier run."""
    made = folder / hashlib.sha256(key.encode()).hexdigest()[:16]
    if made.is_dir():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[: -_KEPT + 1]:
        shutil.rmtree(old)
    growing = made.with_suffix(".new")
    growing.mkdir(exist_ok=True)
    with ExitStack() as stack:
        opened = {table: stack.enter_context((growing / table).open("w", encoding="utf-8")) for table in tables}
        for table, row in rows:
            opened[table].write("\t".join(_NULL if value is None else value for value in row) + "\n")
    growing.rename(made)
    return made


def load(folder: Path, columns: Mapping[str, str], keys: Mapping[str, str]) -> None:
    """All tables in one transaction; what was there before stays. `keys` takes the place of its names in the rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no index is made while a check is still pending
        for table, names in columns.items():
            with _without_indexes(cursor, table):
                others = _others(table, names.split())
                _fill(cursor, table, [*names.split(), *others], _texts(folder / table, keys, others.values()))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _others(table: str, names: Collection[str]) -> dict[str, str]:
    """The columns that the rows say nothing of and that must have a value: their models' defaults, in text."""
    [model] = [model for model in apps.get_models() if model._meta.db_table == table]
    fields = [field for field in model._meta.concrete_fields if field.column not in names and not field.null]
    defaults = {
        field.column or field.attname: field.get_db_prep_save(field.get_default(), connection) for field in fields
    }
    return {column: str(int(value) if isinstance(value, bool) else value) for column, value in defaults.items()}


def _texts(file: Path, keys: Mapping[str, str], others: Iterable[str]) -> Iterator[str]:
    """Whole lines, about a megabyte at a time; `others` are added to each."""
    end = "".join(f"\t{value}" for value in others)
    with file.open(encoding="utf-8") as source:
        while lines := source.readlines(1 << 20):
            text = "".join(lines).replace("\n", f"{end}\n")
            for name, key in keys.items():
                text = text.replace(name, key)
            yield text


def _fill(cursor: CursorWrapper, table: str, names: Sequence[str], texts: Iterable[str]) -> None:
    listed = ", ".join(f'"{name}"' for name in names)
    if connection.vendor == "postgresql":
        raw: Any = cursor.cursor
        with raw.copy(f'COPY "{table}" ({listed}) FROM STDIN') as copy:
            for text in texts:
                copy.write(text)
        return
    marks = ", ".join(["%s"] * len(names))
    statement = f'INSERT INTO "{table}" ({listed}) VALUES ({marks})'
    for text in texts:
        rows = (line.split("\t") for line in text.splitlines())
        cursor.executemany(statement, [[None if value == _NULL else value for value in row] for row in rows])


_POSTGRESQL_INDEXES = """
    SELECT 'index', i.indexname, i.indexdef FROM pg_indexes i
    WHERE i.tablename = %s AND i.schemaname = current_schema()
    AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)
"""
# A trigger before each insert costs more than the insert; what is new here replaces nothing.
_SQLITE_INDEXES = """
    SELECT type, name, sql FROM sqlite_master WHERE tbl_name = %s AND sql > ''
    AND (type = 'index' OR type = 'trigger' AND sql LIKE '%%BEFORE INSERT%%')
"""


@contextmanager
def _without_indexes(cursor: CursorWrapper, table: str) -> Iterator[None]:
    """Those of the primary key and of whole constraints stay: they are no indexes of their own."""
    cursor.execute(_POSTGRESQL_INDEXES if connection.vendor == "postgresql" else _SQLITE_INDEXES, [table])
    indexes = cursor.fetchall()
    for kind, name, _ in indexes:
        cursor.execute(f'DROP {kind} "{name}"')
    yield
    for _, _, statement in indexes:
        cursor.execute(statement)
