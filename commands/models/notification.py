from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import OuterRef

from commands.models.account import Account
from commands.models.leased import Leased
from commands.models.pause import Pause


class NotificationQuerySet(models.QuerySet["Notification"]):
    def pending(self) -> Self:
        return self.filter(sent_at=None)

    def sent(self) -> Self:
        return self.filter(sent_at__isnull=False)

    def about_pause(self) -> Self:
        """Filter notifications about the pause of the outer query."""
        return self.filter(pause=OuterRef("pk"))

    def failing(self) -> Self:
        """Filter pending emails whose quick attempts have all failed. They are retried hourly."""
        return self.pending().filter(attempts__gte=settings.MAIL_ATTEMPTS)


class Notification(Leased):
    """Message to people about one thing, sent once: a row of the notification outbox.

    It holds codes and values. Recipients and text are decided when it is sent. A sent row stays, because its
    `dedupe_key` keeps the same message from being sent again. The key is empty once the message may be sent again.
    """

    class Kind(models.TextChoices):
        REFUSED = "refused", "operation refused"
        RESULTS_EXPIRING = "results_expiring", "results about to be lost"

    class Channel(models.TextChoices):
        EMAIL = "email", "email"

    kind = models.CharField(max_length=30, choices=Kind)
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.EMAIL)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="notifications")
    pause = models.ForeignKey(
        Pause,
        on_delete=models.SET_NULL,
        null=True,
        related_name="notifications",
        help_text="The pause that it is about. Empty once that pause is over.",
    )
    data = models.JSONField(default=dict, help_text="Codes and values.")
    dedupe_key = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, help_text="When it was sent, or found to be in another email already.")

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"], condition=~models.Q(dedupe_key=""), name="notification_once_a_key"
            ),
            models.CheckConstraint(
                name="notification_kind_known",
                condition=models.Q(kind__in=["refused", "results_expiring"]),
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(sent_at=None), name="notification_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.account_id}"
