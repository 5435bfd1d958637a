from django.core.exceptions import ValidationError
from django.db import models

from commands.models.encrypted_field import EncryptedTextField


class Credential(models.Model):
    """The token or key behind accounts. Its value is written, never shown."""

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
                violation_error_message="A global API key needs the email address that it belongs to.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.scheme == self.Scheme.KEY and not self.email:
            raise ValidationError({"email": "A global API key needs the email address that it belongs to."})


class CallBudget(models.Model):
    """The calls that a credential may make: Cloudflare counts 1200 in 5 minutes, for each user or token.

    One row, so that every worker counts in the same place; so is the pause after a 429. `actions/budget.py`
    alone writes it.
    """

    credential = models.OneToOneField(Credential, on_delete=models.CASCADE, primary_key=True, related_name="budget")
    calls_left = models.FloatField(null=True, help_text="Of all calls; null: never counted yet.")
    list_calls_left = models.FloatField(null=True, help_text="Of the half that listings may take.")
    counted_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    paused_since = models.DateTimeField(null=True, help_text="The first 429 since a call was answered otherwise.")
    pause_words = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"budget of {self.credential_id}"
