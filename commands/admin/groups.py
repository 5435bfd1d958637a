from typing import Any

from django.contrib import admin
from django.contrib.admin import TabularInline
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from commands.admin.base import OfThePortal, administered
from commands.models import Grant

admin.site.unregister(Group)


class GrantFormSet(BaseInlineFormSet[Grant, Group, Any]):
    def clean(self) -> None:
        """The database allows one grant an account; two new lines of one form are not compared by Django itself."""
        super().clean()
        kept = [form for form in self.forms if form.has_changed() or form.instance.pk]
        accounts = [form.cleaned_data.get("account") for form in kept if not form.cleaned_data.get("DELETE")]
        if len(accounts) != len(set(accounts)):
            raise ValidationError("One line for each account, and one for every account.")


class GrantInline(TabularInline[Grant, Group]):
    model = Grant
    formset = GrantFormSet
    extra = 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        rows, ids = super().get_queryset(request), administered(request)
        return rows if ids is None else rows.filter(account__in=ids)


@admin.register(Group)
class GroupWithGrantsAdmin(OfThePortal[Group], GroupAdmin):
    """Grants say what people may do in the portal; permissions say what they may do in this admin."""

    inlines = (GrantInline,)
