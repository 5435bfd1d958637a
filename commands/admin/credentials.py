from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from commands.actions.administration import accounts
from commands.admin.base import PortalAdmin, administered
from commands.models import Account, Credential
from commands.models.encrypted_field import CannotDecrypt


class CredentialForm(ModelForm[Credential]):
    value = forms.CharField(
        label="Token or key",
        required=False,
        max_length=1000,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "size": 60}),
        help_text="Stored encrypted and never shown again. Leave blank to keep the stored one.",
    )

    class Meta:
        model = Credential
        fields = ("name", "scheme", "email")

    def clean_value(self) -> str:
        value: str = self.cleaned_data["value"]
        if not value and self.instance._state.adding:
            raise forms.ValidationError("A new credential needs its token or key.")
        if not all("!" <= character <= "~" for character in value):
            raise forms.ValidationError("The token or key can't contain spaces or accented characters.")
        return value


def used_only_by(account_ids: Collection[UUID]) -> Q:
    """Match credentials that no account except these uses."""
    return ~Q(Exists(Account.objects.filter(credential=OuterRef("pk")).exclude(pk__in=account_ids)))


@admin.register(Credential)
class CredentialAdmin(PortalAdmin[Credential]):
    """Write-only admin of credentials. A stored value is never shown, neither here nor in the history."""

    form = CredentialForm
    fields = ("name", "scheme", "email", "value", "state")
    readonly_fields = ("state",)
    list_display = ("name", "scheme", "state", "changed_at")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        rows, ids = super().get_queryset(request), administered(request)
        return rows if ids is None else rows.filter(used_only_by(ids))

    @admin.display(description="State")
    def state(self, credential: Credential) -> str:
        if not credential.secret:
            return "No value yet"
        try:
            credential.secret.reveal()
        except CannotDecrypt:
            return "Can't be decrypted with CREDENTIAL_KEYS. Enter it again"
        return "Stored, encrypted"

    def save_model(self, request: HttpRequest, obj: Credential, form: Any, change: bool) -> None:
        value = form.cleaned_data["value"]
        if change:
            accounts.change_credential(obj, value=value)
        else:
            accounts.add_credential(obj, value=value)

    @method_decorator(sensitive_post_parameters("value"))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return super().changeform_view(request, object_id, form_url, extra_context)
