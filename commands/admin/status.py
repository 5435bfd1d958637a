"""Admin pages of what the status page sums up: heartbeats and pauses. Only workers write these rows."""

from django.contrib import admin

from commands.admin.base import AccountScopedAdmin, ReadOnlyAdmin
from commands.models import Heartbeat, Pause


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin[Heartbeat]):
    list_display = ("role", "instance", "seen_at")
    list_filter = ("role",)


@admin.register(Pause)
class PauseAdmin(AccountScopedAdmin[Pause], ReadOnlyAdmin[Pause]):
    list_display = ("account", "act", "until", "refused", "failures", "words")
    list_select_related = ("account",)
    list_filter = ("act",)
