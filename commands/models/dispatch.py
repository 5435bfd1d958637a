from django.db import models

from commands.models.account import Account
from commands.rules.reasons import CommandReasonCode


class Dispatch(models.Model):
    """POST to Cloudflare: what was sent, because Cloudflare does not tell it later, and the answer.

    The row is a fence too: an answer is recorded only for commands that still point to their dispatch.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", "in progress"
        CREATED = "created", "created"
        NOT_SENT = "not_sent", "not sent"
        REFUSED = "refused", "account refused"
        REJECTED = "rejected", "request rejected"
        THROTTLED = "throttled", "rate-limited"
        ERROR_IN_200 = "error_in_200", "error reported in a 200 response"
        UNKNOWN = "unknown", "outcome unknown"

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="dispatches")
    kind = models.CharField(max_length=20)
    body = models.JSONField(
        default=dict,
        help_text="Dialect and commands as sent, {} if nothing was sent.",
    )
    claimed_at = models.DateTimeField(help_text="By the database's clock.")
    lease_until = models.DateTimeField(help_text="By the database's clock.")
    ended_at = models.DateTimeField(null=True, help_text="When the answer was recorded, or that there was none.")
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.OPEN)
    http_status = models.PositiveSmallIntegerField(null=True)
    code = models.IntegerField(null=True, help_text="Cloudflare's own code.")
    reason_code = models.CharField(
        max_length=30, blank=True, choices=[(code.value, code.value) for code in CommandReasonCode]
    )
    remote_message = models.CharField(max_length=500, blank=True, help_text="Cloudflare's own message.")

    class Meta:
        verbose_name_plural = "dispatches"
        constraints = [
            models.CheckConstraint(
                name="dispatch_outcome_known",
                condition=models.Q(
                    outcome__in=[
                        "open",
                        "created",
                        "not_sent",
                        "refused",
                        "rejected",
                        "throttled",
                        "error_in_200",
                        "unknown",
                    ]
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "claimed_at"], name="dispatch_by_claim"),
            models.Index(fields=["lease_until"], condition=models.Q(outcome="open"), name="dispatch_open_by_lease"),
        ]

    def __str__(self) -> str:
        return f"dispatch {self.id}"
