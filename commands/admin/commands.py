from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from commands.admin.base import Mirror, OfAccounts, WordedStatus, status_words
from commands.models import Artifact, Command, Event, Run
from commands.queries.search import command_ids


@admin.register(Run)
class RunAdmin(OfAccounts[Run], Mirror[Run]):
    list_display = ("short_id", "account", "requested_by", "requested_at", "ticket")
    list_select_related = ("account", "requested_by")
    search_fields = ("id__exact",)
    search_help_text = "The whole id."


@admin.register(Command)
class CommandAdmin(OfAccounts[Command], Mirror[Command]):
    list_display = (
        "short_id",
        "account",
        "kind",
        "device_name",
        "email",
        "state",
        "requested_by",
        "requested_at",
        "ticket",
    )
    list_select_related = ("account", "requested_by")
    list_filter = (("status", WordedStatus),)
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
class EventAdmin(OfAccounts[Event], Mirror[Event]):
    list_display = ("short_id", "at", "event", "account", "command", "moved", "mover", "by")
    list_select_related = ("account", "command", "by")
    search_fields = ("id__exact", "command__id__exact")
    search_help_text = "The whole id of an event or of a command."

    @admin.display(description="From, to")
    def moved(self, event: Event) -> str:
        return " → ".join(status_words(status) for status in (event.from_status, event.to_status) if status)


@admin.register(Artifact)
class ArtifactAdmin(OfAccounts[Artifact], Mirror[Artifact]):
    account_path = "command__account"
    list_display = ("short_id", "command", "state", "filename", "size", "stored_at")
    list_select_related = ("command",)
    list_filter = (("status", WordedStatus),)
    search_fields = ("id__exact", "command__id__exact")
    search_help_text = "The whole id of an artifact or of its command."
