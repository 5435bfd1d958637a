from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from commands.actions.administration import accounts
from commands.admin.base import AccountScopedAdmin, UndeletableAdmin, administered
from commands.admin.credentials import used_only_by
from commands.models import Account, Credential


class AccountForm(ModelForm[Account]):
    class Meta:
        model = Account
        fields = ("name", "cloudflare_id", "credential", "dialect")

    def clean_cloudflare_id(self) -> str:
        """Refuse an account that exists already. Django can't check this, because the upstream is not in the form."""
        cloudflare_id: str = self.cleaned_data["cloudflare_id"].lower()
        if Account.objects.filter(upstream=settings.UPSTREAM.name, cloudflare_id=cloudflare_id).exists():
            raise forms.ValidationError("This account already exists. If it's retired, reactivate it.")
        return cloudflare_id


@admin.register(Account)
class AccountAdmin(AccountScopedAdmin[Account], UndeletableAdmin[Account]):
    """Admin of accounts. They are retired and never deleted, because the history refers to them."""

    account_path = "pk"
    form = AccountForm
    list_display = ("name", "cloudflare_id", "upstream", "credential", "dialect", "retired_at")
    list_select_related = ("credential",)
    list_filter = ("dialect",)
    ordering = ("name", "id")
    search_fields = ("name", "cloudflare_id__exact")
    actions = ("retire", "reactivate")
    fields = ("name", "cloudflare_id", "credential", "dialect", "upstream", "retired_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        """Make the Cloudflare id read-only once the account exists: its rows belong to that account."""
        return ("upstream", "retired_at", "cloudflare_id") if obj else ("upstream", "retired_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let only users who administer all accounts add one. Others would have no right to the account they added."""
        return administered(request) is None and super().has_add_permission(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Offer no credential of accounts that the user doesn't administer, except those their own accounts use."""
        ids = administered(request)
        if db_field.name == "credential" and ids is not None:
            options["queryset"] = Credential.objects.filter(used_only_by(ids) | Q(account__in=ids)).distinct()
        return super().formfield_for_foreignkey(db_field, request, **options)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        if change:
            accounts.change_account(obj)
        else:
            accounts.add_account(obj, now=timezone.now())

    @admin.action(description="Retire selected accounts", permissions=["change"])
    def retire(self, request: HttpRequest, selected: QuerySet[Account]) -> None:
        retired = [account for account in selected if accounts.retire_account(account, now=timezone.now())]
        for account in retired:
            self.log_change(request, account, "Retired.")
        text = f"Retired {_accounts(len(retired))}. Commands are no longer sent and results no longer downloaded."
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description="Reactivate selected accounts", permissions=["change"])
    def reactivate(self, request: HttpRequest, selected: QuerySet[Account]) -> None:
        reactivated = [account for account in selected if accounts.return_account(account)]
        for account in reactivated:
            self.log_change(request, account, "Reactivated.")
        self.message_user(request, f"Reactivated {_accounts(len(reactivated))}.", messages.SUCCESS)


def _accounts(number: int) -> str:
    return "1 account" if number == 1 else f"{number} accounts"
