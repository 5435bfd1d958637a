"""Admin pages of what the status page sums up: heartbeats, pauses and notifications. Only workers write these rows."""

from django.contrib import admin

from commands.admin.base import AccountScopedAdmin, ReadOnlyAdmin
from commands.models import Heartbeat, Notification, Pause


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin[Heartbeat]):
    list_display = ("role", "instance", "seen_at")
    list_filter = ("role",)


@admin.register(Pause)
class PauseAdmin(AccountScopedAdmin[Pause], ReadOnlyAdmin[Pause]):
    list_display = ("account", "operation", "until", "refused", "failures", "reason")
    list_select_related = ("account",)
    list_filter = ("operation",)


@admin.register(Notification)
class NotificationAdmin(AccountScopedAdmin[Notification], ReadOnlyAdmin[Notification]):
    list_display = ("kind", "account", "created_at", "sent_at", "attempts")
    list_select_related = ("account",)
    list_filter = ("kind",)
