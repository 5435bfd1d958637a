from django.db import models


class Heartbeat(models.Model):
    """The last sign of life of one process: the pages say from it whether workers and beat are there.

    The broker has no process of ours: its row is of the beat whose message it took last.
    """

    class Role(models.TextChoices):
        BEAT = "beat", "beat"
        BROKER = "broker", "the broker"
        TALK = "talk", "the worker that talks to Cloudflare"
        FETCH = "fetch", "the worker that fetches files"

    role = models.CharField(max_length=10, choices=Role)
    instance = models.CharField(max_length=100, help_text="Host and process.")
    seen_at = models.DateTimeField(help_text="By the database's clock.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "instance"], name="heartbeat_once_an_instance")]

    def __str__(self) -> str:
        return f"{self.role} {self.instance}"
