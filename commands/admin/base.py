"""What the admin's pages share: accounts that one administers and no others, records that are only shown, lists that
stay quick with a million rows, no deletion."""

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


def administered(request: HttpRequest) -> frozenset[UUID] | None:
    """The ids of the accounts that the person administers; None: every one, as a superuser does. One query a
    request."""
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
    found: frozenset[UUID] | None = request.administered_accounts  # type: ignore[attr-defined]
    return found


class OfAccounts[M: Model](ModelAdmin[M]):
    """What belongs to an account is as absent as if it never was, for who does not administer that one.

    The ids stand in the query themselves: the index on account and id then gives a list in its order.
    """

    account_path = "account"

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows, ids = super().get_queryset(request), administered(request)
        return rows if ids is None else rows.filter(**{f"{self.account_path}__in": ids})


class OfThePortal[M: Model](ModelAdmin[M]):
    """What reaches into every account is changed by who administers every one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return administered(request) is None and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return administered(request) is None and super().has_delete_permission(request, obj)


class WordedStatus(admin.ChoicesFieldListFilter):
    """A filter by status, in the words of all other pages."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": status_words(str(choice["display"]))}


_LABELS: Mapping[str, str] = {
    **{status.value: label for status, label in LABELS.items()},
    **{status.value: label for status, label in ARTIFACT_LABELS.items()},
}


def status_words(status: Status | ArtifactStatus | str) -> str:
    return _LABELS.get(status, status)


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

    @admin.display(description="Id")
    def short_id(self, row: M) -> str:
        """The end of it: the beginning is the time, which many share."""
        return f"…{str(row.pk)[-8:]}"

    @admin.display(description="Status")
    def state(self, row: M) -> str:
        return status_words(getattr(row, "status"))  # noqa: B009 - of those that list it
