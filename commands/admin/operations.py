from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from commands.admin.base import Mirror, OfAccounts
from commands.models import Device, Dispatch, Heartbeat, Pause
from commands.queries.devices import begins_with


@admin.register(Device)
class DeviceAdmin(OfAccounts[Device], Mirror[Device]):
    list_display = ("name_or_id", "account", "email", "platform", "connection", "listed_at")
    list_select_related = ("account",)
    search_fields = ("name",)  # as get_search_results has it
    search_help_text = "How a name, email or device id begins."

    @admin.display(description="Device")
    def name_or_id(self, device: Device) -> str:
        return str(device)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Device], search_term: str
    ) -> tuple[QuerySet[Device], bool]:
        """As the desk's form looks for devices."""
        return queryset.filter(begins_with(search_term)), False


@admin.register(Dispatch)
class DispatchAdmin(OfAccounts[Dispatch], Mirror[Dispatch]):
    list_display = ("short_id", "account", "kind", "claimed_at", "ended_at", "outcome", "http_status", "code")
    list_select_related = ("account",)
    list_filter = ("outcome",)
    search_fields = ("id__exact",)
    search_help_text = "The whole id."


@admin.register(Heartbeat)
class HeartbeatAdmin(Mirror[Heartbeat]):
    list_display = ("role", "instance", "seen_at")
    list_filter = ("role",)


@admin.register(Pause)
class PauseAdmin(OfAccounts[Pause], Mirror[Pause]):
    list_display = ("account", "act", "until", "refused", "failures", "words")
    list_select_related = ("account",)
    list_filter = ("act",)
