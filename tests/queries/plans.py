"""Plans of the queries on commands, as the database explains them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

_EXPLAIN = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"


class Plans:
    """Plans of the queries on commands_command that run within `watch()`, with their parameters."""

    def __init__(self) -> None:
        self.of_queries: list[str] = []

    def watch(self) -> AbstractContextManager[None]:
        return connection.execute_wrapper(self._explained)

    def _explained(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if sql.startswith("SELECT") and '"commands_command"' in sql:
            cursor: CursorWrapper = context["cursor"]
            execute(f"{_EXPLAIN} {sql}", params, many, context)
            rows = cursor.cursor.fetchall() if connection.vendor == "postgresql" else list(cursor.cursor)
            self.of_queries.append("\n".join(str(row[-1]) for row in rows))
        return execute(sql, params, many, context)

    def full_scans(self) -> list[str]:
        """Return the plans that read every command."""
        if connection.vendor == "postgresql":
            return [plan for plan in self.of_queries if "Seq Scan on commands_command" in plan]
        return [plan for plan in self.of_queries if "SCAN commands_command" in plan]
