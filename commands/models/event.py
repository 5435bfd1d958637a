from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from commands.models.account import Account
from commands.models.command import Command
from commands.models.run import Run


class AppendOnly(Exception):
    """Attempt to change or delete an Event."""


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly("Events are never changed")

    def delete(self) -> NoReturn:
        raise AppendOnly("Events are never deleted")


class Event(models.Model):
    """Line of a history: who did what to whom, why and when. Append-only, here and by a trigger.

    `audit.py` creates Events. The Events of a command are numbered by its version.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField()
    event = models.CharField(max_length=40)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, related_name="events")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="events")
    command = models.ForeignKey(Command, on_delete=models.PROTECT, null=True, related_name="events")
    version = models.PositiveIntegerField(null=True)
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20, blank=True)
    mover = models.CharField(max_length=12)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="acts")
    data = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["command", "version"], name="event_once_a_version"),
            models.CheckConstraint(
                name="event_of_command_is_numbered",
                condition=models.Q(command=None, version=None) | models.Q(command__isnull=False, version__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["account", "id"], name="event_by_account")]

    def __str__(self) -> str:
        return self.event

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("Events are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("Events are never deleted")
