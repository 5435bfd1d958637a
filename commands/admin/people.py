from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from commands.admin.base import PortalWideAdmin, UndeletableAdmin, administered
from commands.models import Grant, User


@admin.register(User)
class PersonAdmin(PortalWideAdmin[User], UserAdmin[User], UndeletableAdmin[User]):
    """Admin of people. They are deactivated, never deleted. Their rights come only from the grants of their groups."""

    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Access",
            {
                "fields": ("is_active", "is_staff", "groups"),
                "description": "Deactivate people who leave; don't delete them, so history keeps their names.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff", "groups")
    filter_horizontal = ("groups",)
    actions = ("deactivate",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Restrict to people with a right in an account that the user administers, and to the user's own row."""
        people, ids = super().get_queryset(request), administered(request)
        if ids is None:
            return people
        grants = Grant.objects.filter(account__in=ids, group__user=OuterRef("pk"))
        return people.filter(Exists(grants) | Q(pk=request.user.pk))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let only superusers change superusers: an administrator could otherwise set their password and sign in."""
        is_superuser = isinstance(obj, User) and obj.is_superuser
        return super().has_change_permission(request, obj) and (not is_superuser or bool(request.user.is_superuser))

    @admin.action(description="Deactivate selected people", permissions=["change"])
    def deactivate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for person in people.filter(is_active=True):
            if self.has_change_permission(request, person):
                person.is_active = False
                person.save(update_fields=["is_active"])
                self.log_change(request, person, "Deactivated.")
