"""Admin pages of the permanent record: runs, commands, dispatches, events and artifacts. They are only shown."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from commands.admin.base import AccountScopedAdmin, ReadOnlyAdmin, StatusFilter, status_label
from commands.models import Artifact, Command, Dispatch, Event, Run
from commands.queries.search import command_ids


@admin.register(Run)
class RunAdmin(AccountScopedAdmin[Run], ReadOnlyAdmin[Run]):
    list_display = ("short_id", "account", "requested_by", "requested_at", "ticket")
    list_select_related = ("account", "requested_by")
    search_fields = ("id__exact",)
    search_help_text = "Search by full id."


@admin.register(Command)
class CommandAdmin(AccountScopedAdmin[Command], ReadOnlyAdmin[Command]):
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
    list_filter = (("status", StatusFilter),)
    search_fields = ("id__exact", "remote_id__exact", "device_id__exact", "email__exact", "ticket__exact")
    search_help_text = "Search by full id, Cloudflare id, device id, email or ticket."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Command], search_term: str
    ) -> tuple[QuerySet[Command], bool]:
        """Search each column by its own index. Django would join the columns with OR, which uses no index."""
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=command_ids(search_term)), False


@admin.register(Dispatch)
class DispatchAdmin(AccountScopedAdmin[Dispatch], ReadOnlyAdmin[Dispatch]):
    list_display = ("short_id", "account", "kind", "claimed_at", "ended_at", "outcome", "http_status", "code")
    list_select_related = ("account",)
    list_filter = ("outcome",)
    search_fields = ("id__exact",)
    search_help_text = "Search by full id."


@admin.register(Event)
class EventAdmin(AccountScopedAdmin[Event], ReadOnlyAdmin[Event]):
    list_display = ("short_id", "at", "event", "account", "command", "status_change", "mover", "by")
    list_select_related = ("account", "command", "by")
    search_fields = ("id__exact", "command__id__exact")
    search_help_text = "Search by the full id of an event or command."

    @admin.display(description="Status change")
    def status_change(self, event: Event) -> str:
        return " → ".join(status_label(status) for status in (event.from_status, event.to_status) if status)


@admin.register(Artifact)
class ArtifactAdmin(AccountScopedAdmin[Artifact], ReadOnlyAdmin[Artifact]):
    account_path = "command__account"
    list_display = ("short_id", "command", "state", "filename", "size", "stored_at")
    list_select_related = ("command",)
    list_filter = (("status", StatusFilter),)
    search_fields = ("id__exact", "command__id__exact")
    search_help_text = "Search by the full id of an artifact or its command."
