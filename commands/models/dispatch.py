from django.db import models

from commands.models.account import Account
from commands.rules.reasons import CommandReasonCode


class Dispatch(models.Model):
    """One POST: the outbox row. Its body is what was sent, which Cloudflare cannot be asked; the answer is kept beside.

    The row is the fence too: an answer is recorded only for commands that still point to their dispatch.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", "in flight"
        CREATED = "created", "Cloudflare created them"
        NOT_SENT = "not_sent", "surely not sent"
        REFUSED = "refused", "the account was refused"
        REJECTED = "rejected", "the request was rejected"
        THROTTLED = "throttled", "too many calls"
        SAID_NO = "said_no", "no success, with status 200"
        UNKNOWN = "unknown", "it may have landed"

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="dispatches")
    kind = models.CharField(max_length=20)
    body = models.JSONField(
        default=dict,
        help_text="The dialect, and the commands in its form, as sent; {} where nothing was.",
    )
    claimed_at = models.DateTimeField(help_text="By the database's clock.")
    lease_until = models.DateTimeField(help_text="By the database's clock.")
    ended_at = models.DateTimeField(null=True, help_text="When the answer, or its absence, was recorded.")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.OPEN)
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
                        "said_no",
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
