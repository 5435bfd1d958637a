"""Base classes of the admin pages.

They restrict rows to the accounts that a user administers, show records without letting anyone change them, and keep
lists fast with a million rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from commands.access import Right, rights_of
from commands.models import User
from commands.rules.states import ArtifactStatus, Status
from commands.rules.wording.statuses import ARTIFACT_LABELS, LABELS

MAX_COUNT = 1000


class CappedCount(int):
    """Number at which counting stopped, shown as "1000+"."""

    def __str__(self) -> str:
        return f"{int(self)}+"


class CappedPaginator(Paginator[Any]):
    """Paginator that counts MAX_COUNT rows at most. Search and filters find the rows behind them."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin gives it querysets only
        number = rows.order_by()[:MAX_COUNT].count()
        return CappedCount(number) if number == MAX_COUNT else number


def administered(request: HttpRequest) -> frozenset[UUID] | None:
    """Return the ids of the accounts that the user administers, or None for all accounts.

    Takes one query a request. A superuser administers all accounts.
    """
    user = request.user
    if not isinstance(user, User):
        return frozenset()
    if user.is_superuser:
        return None
    if not hasattr(request, "administered_accounts"):
        rights = rights_of(user)
        ids = frozenset(id_ for id_, granted in rights.by_account.items() if Right.ADMINISTER in granted)
        everywhere = Right.ADMINISTER in rights.everywhere
        request.administered_accounts = None if everywhere else ids  # type: ignore[attr-defined]
    account_ids: frozenset[UUID] | None = request.administered_accounts  # type: ignore[attr-defined]
    return account_ids


class PortalAdmin[M: Model](ModelAdmin[M]):
    """Base of every admin. Lists take only the filters that they offer.

    Django would take almost any lookup from the address: regular expressions, columns that the list doesn't show, and
    columns of other tables.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        offered: Any = self.get_list_filter(request)  # names, or pairs of a name and a filter
        names = [entry if isinstance(entry, str) else entry[0] for entry in offered]
        plain = {f"{name}__exact" for name in names}
        related = {
            f"{name}__{suffix}"
            for name in names
            if self.opts.get_field(name).is_relation
            for suffix in ("id__exact", "isnull")
        }
        return lookup in plain | related


class AccountScopedAdmin[M: Model](PortalAdmin[M]):
    """Admin of rows that belong to an account. Rows of accounts that the user doesn't administer answer 404.

    The query holds the ids themselves instead of a subquery, so that the index on account and id returns a list in its
    order.
    """

    account_path = "account"

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows, ids = super().get_queryset(request), administered(request)
        return rows if ids is None else rows.filter(**{f"{self.account_path}__in": ids})


class PortalWideAdmin[M: Model](PortalAdmin[M]):
    """Admin of rows that affect every account. Only users who administer all accounts can change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return administered(request) is None and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None and super().has_delete_permission(request, obj)


class StatusFilter(admin.ChoicesFieldListFilter):
    """Filter by status, with the labels of all other pages."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": status_label(str(choice["display"]))}


_LABELS: Mapping[str, str] = {
    **{status.value: label for status, label in LABELS.items()},
    **{status.value: label for status, label in ARTIFACT_LABELS.items()},
}


def status_label(status: Status | ArtifactStatus | str) -> str:
    return _LABELS.get(status, status)


class UndeletableAdmin[M: Model](PortalAdmin[M]):
    """Admin of rows that nobody can delete."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin[M: Model](UndeletableAdmin[M]):
    """Admin of rows that only dexportal writes. Users can list and search them."""

    ordering = ("-id",)
    sortable_by = ()
    actions = None
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="ID")
    def short_id(self, row: M) -> str:
        """Return the end of the id. The start is a timestamp, which many rows share."""
        return f"…{str(row.pk)[-8:]}"

    @admin.display(description="Status")
    def state(self, row: M) -> str:
        return status_label(getattr(row, "status"))  # noqa: B009 - only admins of models with a status list it
