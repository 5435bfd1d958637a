from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from commands.clock import is_ahead
from commands.models.encrypted_field import EncryptedTextField
from commands.rules.call_budget import Bucket
from commands.rules.pauses import PauseReason
from commands.rules.wording.pauses import describe_pause


class Credential(models.Model):
    """Token or key that accounts use. Its value can be written and is never shown."""

    class Scheme(models.TextChoices):
        TOKEN = "token", "API token"
        KEY = "key", "email and global API key"

    name = models.CharField(max_length=100, unique=True)
    scheme = models.CharField(max_length=10, choices=Scheme, default=Scheme.TOKEN)
    email = models.EmailField(blank=True, help_text="Only with a global API key.")
    secret = EncryptedTextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="credential_key_has_email",
                condition=models.Q(scheme="token") | ~models.Q(email=""),
                violation_error_message="A global API key needs the email address of its owner.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.scheme == self.Scheme.KEY and not self.email:
            raise ValidationError({"email": "A global API key needs the email address of its owner."})


class CallBudget(models.Model):
    """Calls that a credential may make, and its pause after a 429. Cloudflare allows 1200 calls in 5 minutes.

    One row per credential, so that all workers count in the same place. Only `actions/upstream/rate_limit.py` and
    `pauses.py` write it.
    """

    credential = models.OneToOneField(Credential, on_delete=models.CASCADE, primary_key=True, related_name="budget")
    calls_left = models.FloatField(null=True, help_text="Of all calls. Empty if never counted.")
    list_calls_left = models.FloatField(null=True, help_text="Of the half that listings may use.")
    counted_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    paused_since = models.DateTimeField(null=True, help_text="First 429 since the last call that succeeded.")
    pause_reason_code = models.CharField(
        max_length=30, blank=True, choices=[(code.value, code.value) for code in PauseReason]
    )
    pause_remote_message = models.CharField(max_length=300, blank=True, help_text="Cloudflare's own message.")

    def __str__(self) -> str:
        return f"budget of {self.credential_id}"

    @staticmethod
    def bucket() -> Bucket:
        """Return the bucket of all calls: half of what Cloudflare allows, without the reserve for people."""
        half = (settings.RATE_CALLS - settings.RATE_RESERVE) / 2
        return Bucket(half, half / settings.RATE_WINDOW.total_seconds(), settings.LONGEST_WAIT)

    @staticmethod
    def list_bucket() -> Bucket:
        """Return the bucket of listings: half of all calls."""
        whole = CallBudget.bucket()
        return replace(whole, size=whole.size / 2, rate=whole.rate / 2)

    def calls_available(self, now: datetime) -> int:
        """Return how many calls the credential could make at once now. None while it is paused."""
        if is_ahead(self.paused_until, now):
            return 0
        return int(self.bucket().refilled(self.calls_left, self.counted_at, now))

    @property
    def pause_reason(self) -> str:
        """Sentence for people."""
        return describe_pause(self.pause_reason_code, self.pause_remote_message)
