from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from commands.admin.base import Mirror
from commands.models import Artifact, Command, Event, Run
from commands.queries.search import command_ids


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
    search_help_text = "A whole id, Cloudflare's id, device id, email or ticket."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Command], search_term: str
    ) -> tuple[QuerySet[Command], bool]:
        """Django would join the columns with OR, and no index would help."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=command_ids(search_term)), False


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
