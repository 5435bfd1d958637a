from django.contrib import admin

from commands.admin.base import Mirror
from commands.models import Artifact, Command, Event, Run


@admin.register(Run)
class RunAdmin(Mirror[Run]):
    list_display = ("id", "account", "asked_by", "asked_at", "ticket")
    list_select_related = ("account", "asked_by")
    search_fields = ("id__exact",)
    search_help_text = "The whole id."


@admin.register(Command)
class CommandAdmin(Mirror[Command]):
    list_display = ("id", "account", "kind", "device_name", "email", "status", "asked_by", "asked_at", "ticket")
    list_select_related = ("account", "asked_by")
    list_filter = ("status",)
    search_fields = ("id__exact", "remote_id__exact", "device_id__exact", "email__exact", "ticket__exact")
    search_help_text = "A whole id, Cloudflare's id, device id, email (lower case) or ticket."


@admin.register(Event)
class EventAdmin(Mirror[Event]):
    list_display = ("id", "at", "event", "account", "command", "from_status", "to_status", "mover", "by")
    list_select_related = ("account", "command", "by")
    search_fields = ("id__exact", "command__id__exact")
    search_help_text = "The whole id of an event or of a command."


@admin.register(Artifact)
class ArtifactAdmin(Mirror[Artifact]):
    list_display = ("id", "command", "status", "filename", "size", "stored_at")
    list_select_related = ("command",)
    list_filter = ("status",)
    search_fields = ("id__exact", "command__id__exact")
    search_help_text = "The whole id of an artifact or of its command."
