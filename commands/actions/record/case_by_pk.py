"""Expression for one UPDATE that gives each row its own value.

Cheap to build for hundreds of rows. Django's own Case builds and resolves a condition object for each row.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, F, Field, ForeignKey, Model
from django.db.models.sql.compiler import SQLCompiler


class CaseByPk(Expression):
    """`CASE id WHEN … THEN … END` for a column of `model`. A row that is not listed keeps its value."""

    def __init__(self, model: type[Model], name: str, values: Mapping[UUID, object]) -> None:
        self._key = _field(model, model._meta.pk.name)
        self._column = _field(model, name)
        self._values = values
        self._sources: list[Any] = [F(self._key.attname), F(self._column.attname)]
        super().__init__(output_field=_stored_field(self._column))

    def get_source_expressions(self) -> list[Any]:
        return self._sources

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        self._sources = list(exprs)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:  # type: ignore[override]
        key, old = (compiler.compile(source)[0] for source in self._sources)
        stored = _stored_field(self._column)
        params: list[Any] = []
        for id_, value in self._values.items():
            params += [self._key.get_db_prep_value(id_, connection), stored.get_db_prep_save(value, connection)]
        return f"CASE {key} {'WHEN %s THEN %s ' * len(self._values)}ELSE {old} END", params


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    field = model._meta.get_field(name)
    assert isinstance(field, Field)
    return field


def _stored_field(field: "Field[Any, Any]") -> "Field[Any, Any]":
    """Return the field that prepares values for the database: for a foreign key, that of the key it refers to."""
    return field.target_field if isinstance(field, ForeignKey) else field
