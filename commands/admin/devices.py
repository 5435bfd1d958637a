from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from commands.admin.base import AccountScopedAdmin, ReadOnlyAdmin
from commands.models import Device
from commands.queries.devices import begins_with


@admin.register(Device)
class DeviceAdmin(AccountScopedAdmin[Device], ReadOnlyAdmin[Device]):
    list_display = ("name_or_id", "account", "email", "platform", "connection", "listed_at")
    list_select_related = ("account",)
    search_fields = ("name",)  # makes Django show a search box; get_search_results does the search
    search_help_text = "Search by the start of a name, email or device id."

    @admin.display(description="Device")
    def name_or_id(self, device: Device) -> str:
        return str(device)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Device], search_term: str
    ) -> tuple[QuerySet[Device], bool]:
        """Search like the form on the desk, which has indexes for it."""
        return queryset.filter(begins_with(search_term)), False
