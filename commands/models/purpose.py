from django.db import models


class Purpose(models.Model):
    """Reason to run commands that people choose from. Administrators can edit it, because each Run has a copy."""

    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(default=100, help_text="Order on the desk, lowest first.")
    active = models.BooleanField(default=True, help_text="Only active purposes are offered.")

    def __str__(self) -> str:
        return self.name
