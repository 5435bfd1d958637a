from typing import Any

from django.contrib import admin
from django.contrib.admin import TabularInline
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from commands.admin.base import PortalWideAdmin, administered
from commands.models import Grant

admin.site.unregister(Group)


class GrantFormSet(BaseInlineFormSet[Grant, Group, Any]):
    def clean(self) -> None:
        """Refuse two rows for one account, which the database would. Django doesn't compare new rows of a form."""
        super().clean()
        rows = [form for form in self.forms if form.has_changed() or form.instance.pk]
        accounts = [form.cleaned_data.get("account") for form in rows if not form.cleaned_data.get("DELETE")]
        if len(accounts) != len(set(accounts)):
            raise ValidationError("Only one row per account.")


class GrantInline(TabularInline[Grant, Group]):
    model = Grant
    formset = GrantFormSet
    extra = 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        rows, ids = super().get_queryset(request), administered(request)
        return rows if ids is None else rows.filter(account__in=ids)


@admin.register(Group)
class GroupWithGrantsAdmin(PortalWideAdmin[Group], GroupAdmin):
    """Admin of groups. Grants are rights in the portal, and permissions are rights in this admin."""

    inlines = (GrantInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """Restrict to groups with a right in an account that the user administers."""
        groups, ids = super().get_queryset(request), administered(request)
        return (
            groups
            if ids is None
            else groups.filter(Exists(Grant.objects.filter(account__in=ids, group=OuterRef("pk"))))
        )
