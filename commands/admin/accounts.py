from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from commands.actions.administration import accounts
from commands.admin.base import Kept, OfAccounts, administered
from commands.admin.credentials import usable
from commands.models import Account, Credential


class AccountForm(ModelForm[Account]):
    class Meta:
        model = Account
        fields = ("name", "cloudflare_id", "credential", "dialect")

    def clean_cloudflare_id(self) -> str:
        """The upstream is no field of the form, so Django itself does not look for a twin."""
        given: str = self.cleaned_data["cloudflare_id"].lower()
        if Account.objects.filter(upstream=settings.UPSTREAM.name, cloudflare_id=given).exists():
            raise forms.ValidationError("This account is here already; if it is retired, take it back into use.")
        return given


@admin.register(Account)
class AccountAdmin(OfAccounts[Account], Kept[Account]):
    """Accounts are retired, never deleted: the record names them."""

    account_path = "pk"
    form = AccountForm
    list_display = ("name", "cloudflare_id", "upstream", "credential", "dialect", "retired_at")
    list_select_related = ("credential",)
    list_filter = ("dialect",)
    ordering = ("name", "id")
    search_fields = ("name", "cloudflare_id__exact")
    actions = ("retire", "take_back")
    fields = ("name", "cloudflare_id", "credential", "dialect", "upstream", "retired_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        """Which account it is, is settled when it is made."""
        return ("upstream", "retired_at", "cloudflare_id") if obj else ("upstream", "retired_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new one is nobody's yet but theirs who administer every one."""
        return administered(request) is None and super().has_add_permission(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **given: Any) -> Any:
        """No token of an account that is none of theirs, but for the one that is behind theirs already."""
        ids = administered(request)
        if db_field.name == "credential" and ids is not None:
            given["queryset"] = Credential.objects.filter(usable(ids) | Q(account__in=ids)).distinct()
        return super().formfield_for_foreignkey(db_field, request, **given)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        if change:
            accounts.change_account(obj)
        else:
            accounts.add_account(obj, now=timezone.now())

    @admin.action(description="Retire the selected accounts", permissions=["change"])
    def retire(self, request: HttpRequest, chosen: QuerySet[Account]) -> None:
        retired = [account for account in chosen if accounts.retire_account(account, now=timezone.now())]
        for account in retired:
            self.log_change(request, account, "Retired.")
        self.message_user(request, f"{len(retired)} retired: nothing is sent or fetched for them.", messages.SUCCESS)

    @admin.action(description="Take the selected accounts back into use", permissions=["change"])
    def take_back(self, request: HttpRequest, chosen: QuerySet[Account]) -> None:
        returned = [account for account in chosen if accounts.return_account(account)]
        for account in returned:
            self.log_change(request, account, "Taken back into use.")
        self.message_user(request, f"{len(returned)} taken back into use.", messages.SUCCESS)
