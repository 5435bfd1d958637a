"""What the admin's pages share: records that are only shown, lists that stay quick with a million rows, no deletion."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from commands.admin.typed import ModelAdmin, Paginator

COUNT_UP_TO = 1000


class OrMore(int):
    """A number where counting stopped."""

    def __str__(self) -> str:
        return f"{int(self)}+"


class Uncounted(Paginator[Any]):
    """Counts no further than COUNT_UP_TO: what lies behind is found by search and filter."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin gives it querysets only
        counted = rows.order_by()[:COUNT_UP_TO].count()
        return OrMore(counted) if counted == COUNT_UP_TO else counted


class Kept[M: Model](ModelAdmin[M]):
    """Nothing of it is ever deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Mirror[M: Model](Kept[M]):
    """Rows that the portal writes: shown, searched, never touched."""

    ordering = ("-id",)
    sortable_by = ()
    actions = None
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = Uncounted

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
