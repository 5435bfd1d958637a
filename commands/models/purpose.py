from django.db import models


class Purpose(models.Model):
    """What commands are run for, in words that people pick from. Admins edit them; a Run keeps its own copy."""

    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(default=100)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name
