from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Person who can sign in. Users are deactivated, never deleted, because the history refers to them."""

    rights_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Raised whenever the rights of the person change. Part of the version that pages poll for.",
    )
