from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who signs in. Deactivated, never deleted."""

    rights_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Raised whenever the person's rights change; part of every list's token.",
    )
