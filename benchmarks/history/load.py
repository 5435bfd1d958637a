"""Bulk load of rows into the database: files under build/, indexes last, one transaction.

This module writes the files (reused between runs), and drops and recreates indexes. It supports SQLite and PostgreSQL,
and must not know what the rows mean.
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
_FILE_SETS = 3  # sets of files that are reused by later runs


def write_files(
    folder: Path, key: str, tables: Iterable[str], rows: Iterable[tuple[str, Sequence[str | None]]]
) -> Path:
    """Write one file per table, in PostgreSQL's text format, and return their folder.

    Reuse the files of an earlier run with the same `key`.
    """
    target = folder / hashlib.sha256(key.encode()).hexdigest()[:16]
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[: -_FILE_SETS + 1]:
        shutil.rmtree(old)
    unfinished = target.with_suffix(".new")
    unfinished.mkdir(exist_ok=True)
    with ExitStack() as stack:
        writers = {table: stack.enter_context((unfinished / table).open("w", encoding="utf-8")) for table in tables}
        for table, row in rows:
            writers[table].write("\t".join(_NULL if value is None else value for value in row) + "\n")
    unfinished.rename(target)
    return target


def load(folder: Path, columns: Mapping[str, str], placeholders: Mapping[str, str]) -> None:
    """Load all tables in one transaction, beside the rows that exist already.

    `placeholders` maps the placeholders in the rows to their values, which only this database knows.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SET CONSTRAINTS ALL IMMEDIATE"
            )  # PostgreSQL creates no index while a check is still pending
        for table, names in columns.items():
            with _without_indexes(cursor, table):
                defaults = _column_defaults(table, names.split())
                _insert(
                    cursor,
                    table,
                    [*names.split(), *defaults],
                    _read_chunks(folder / table, placeholders, defaults.values()),
                )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _column_defaults(table: str, names: Collection[str]) -> dict[str, str]:
    """Return the model defaults, as text, of the required columns that the rows do not contain."""
    [model] = [model for model in apps.get_models() if model._meta.db_table == table]
    fields = [field for field in model._meta.concrete_fields if field.column not in names and not field.null]
    values = {
        field.column or field.attname: field.get_db_prep_save(field.get_default(), connection) for field in fields
    }
    return {column: str(int(value) if isinstance(value, bool) else value) for column, value in values.items()}


def _read_chunks(file: Path, placeholders: Mapping[str, str], defaults: Iterable[str]) -> Iterator[str]:
    """Yield whole lines, about a megabyte at a time, with `defaults` appended to each."""
    end = "".join(f"\t{value}" for value in defaults)
    with file.open(encoding="utf-8") as source:
        while lines := source.readlines(1 << 20):
            text = "".join(lines).replace("\n", f"{end}\n")
            for name, key in placeholders.items():
                text = text.replace(name, key)
            yield text


def _insert(cursor: CursorWrapper, table: str, names: Sequence[str], chunks: Iterable[str]) -> None:
    quoted_names = ", ".join(f'"{name}"' for name in names)
    if connection.vendor == "postgresql":
        raw: Any = cursor.cursor
        with raw.copy(f'COPY "{table}" ({quoted_names}) FROM STDIN') as copy:
            for chunk in chunks:
                copy.write(chunk)
        return
    markers = ", ".join(["%s"] * len(names))
    statement = f'INSERT INTO "{table}" ({quoted_names}) VALUES ({markers})'
    for chunk in chunks:
        rows = (line.split("\t") for line in chunk.splitlines())
        cursor.executemany(statement, [[None if value == _NULL else value for value in row] for row in rows])


_POSTGRESQL_INDEXES = """
    SELECT 'index', i.indexname, i.indexdef FROM pg_indexes i
    WHERE i.tablename = %s AND i.schemaname = current_schema()
    AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)
"""
# Drop BEFORE INSERT triggers too: they cost more than the insert. They forbid replaced rows, and a load replaces none.
_SQLITE_INDEXES = """
    SELECT type, name, sql FROM sqlite_master WHERE tbl_name = %s AND sql > ''
    AND (type = 'index' OR type = 'trigger' AND sql LIKE '%%BEFORE INSERT%%')
"""


@contextmanager
def _without_indexes(cursor: CursorWrapper, table: str) -> Iterator[None]:
    """Drop the indexes of a table, and recreate them at the end.

    Indexes of primary keys and of other constraints stay, because they cannot be dropped on their own.
    """
    cursor.execute(_POSTGRESQL_INDEXES if connection.vendor == "postgresql" else _SQLITE_INDEXES, [table])
    indexes = cursor.fetchall()
    for kind, name, _ in indexes:
        cursor.execute(f'DROP {kind} "{name}"')
    yield
    for _, _, statement in indexes:
        cursor.execute(statement)
