from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class User(AbstractUser):
    """Person who can sign in. Users are deactivated, never deleted, because the history refers to them."""

    rights_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Raised whenever the rights of the person change. Part of the version that pages poll for.",
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~Q(email=""),
                name="user_email_unique",
                violation_error_message="Another person has this email address.",
            )
        ]

    def clean(self) -> None:
        """Refuse a user name that is another person's address, and the reverse: people sign in with either."""
        super().clean()
        self.email = self.email.strip().lower()
        others = User.objects.exclude(pk=self.pk)
        if others.filter(email__iexact=self.username).exists():
            raise ValidationError({"username": "Another person has this as their email address."})
        if self.email and others.filter(username__iexact=self.email).exists():
            raise ValidationError({"email": "Another person has this as their user name."})
