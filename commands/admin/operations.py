from django.contrib import admin

from commands.admin.base import Mirror
from commands.models import Device, Dispatch, Heartbeat, Pause


@admin.register(Device)
class DeviceAdmin(Mirror[Device]):
    list_display = ("id", "account", "device_id", "name", "email", "platform", "connection", "listed_at")
    list_select_related = ("account",)
    search_fields = ("device_id__exact", "email__exact")
    search_help_text = "A whole device id or email, in lower case."


@admin.register(Dispatch)
class DispatchAdmin(Mirror[Dispatch]):
    list_display = ("id", "account", "kind", "claimed_at", "ended_at", "outcome", "http_status", "code")
    list_select_related = ("account",)
    list_filter = ("outcome",)
    search_fields = ("id__exact",)
    search_help_text = "The whole id."


@admin.register(Heartbeat)
class HeartbeatAdmin(Mirror[Heartbeat]):
    list_display = ("role", "instance", "seen_at")
    list_filter = ("role",)


@admin.register(Pause)
class PauseAdmin(Mirror[Pause]):
    list_display = ("account", "act", "until", "refused", "failures", "words")
    list_select_related = ("account",)
    list_filter = ("act",)
