from django.conf import settings
from django.db import models

from commands.models.account import Account
from commands.models.leased import Leased


class Pause(Leased):
    """One act that rests for one account, and why: a dead upstream, or a refusal (401, 403, 404).

    No row, or a time that has passed: the act is allowed. `failures` makes the next pause longer; the row stays until
    the act works again; `until` is `since` where a probe says that it does. The lease is that of the mail which tells
    the admins of a refusal: `told_at` is empty while there are words that they have to be told.
    """

    class Act(models.TextChoices):
        CREATE = "create", "sending commands"
        LIST = "list", "listing commands"
        DIRECTORY = "directory", "listing devices and the quota"
        DOWNLOAD = "download", "fetching files"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="pauses")
    act = models.CharField(max_length=10, choices=Act)
    until = models.DateTimeField()
    since = models.DateTimeField()
    failures = models.PositiveIntegerField(default=1)
    refused = models.BooleanField(default=False, help_text="Cloudflare refused it: an admin has to mend something.")
    words = models.CharField(max_length=300)
    told_at = models.DateTimeField(null=True, editable=False, help_text="When the admins were told by mail.")
    told_words = models.JSONField(default=list, editable=False, help_text="What they were told of this refusal.")
    lost_told_at = models.DateTimeField(
        null=True, editable=False, help_text="When they were told which results Cloudflare deletes soon."
    )
    probed_at = models.DateTimeField(
        null=True, editable=False, help_text="When Cloudflare was last asked whether it still refuses."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "act"], name="pause_once_an_act"),
            models.CheckConstraint(
                name="pause_act_known",
                condition=models.Q(act__in=["create", "list", "directory", "download"]),
            ),
        ]

    @property
    def is_mail_failing(self) -> bool:
        """The admins are to be told something, and no quick attempt to mail it succeeded: it is tried hourly."""
        quick: int = settings.MAIL_ATTEMPTS
        return self.refused and self.attempts >= quick

    def __str__(self) -> str:
        return f"{self.get_act_display()} until {self.until:%H:%M}"
