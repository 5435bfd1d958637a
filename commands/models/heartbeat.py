from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now

CREDIBLE = Q(seen_at__lte=ExpressionWrapper(Now() + timedelta(seconds=1), DateTimeField()))
"""Not ahead of the database's clock. A heartbeat from before the clock was set back proves nothing."""


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def credible(self) -> Self:
        return self.filter(CREDIBLE)


class Heartbeat(models.Model):
    """Last sign of life of one process. Pages and checks see from it whether workers and beat are running.

    The broker runs no code of ours. Its row belongs to the beat whose message it accepted last.
    """

    class Role(models.TextChoices):
        BEAT = "beat", "scheduler (beat)"
        BROKER = "broker", "message queue (broker)"
        TALK = "talk", "Cloudflare worker (talk)"
        FETCH = "fetch", "download worker (fetch)"

    role = models.CharField(max_length=10, choices=Role)
    instance = models.CharField(max_length=100, help_text="Host and process.")
    seen_at = models.DateTimeField(help_text="By the database's clock.")

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "instance"], name="heartbeat_once_an_instance")]

    def __str__(self) -> str:
        return f"{self.role} {self.instance}"
