from django.db import models


class Preset(models.Model):
    """Kinds and their options under a name that people know. The shipped ones may be changed or switched off."""

    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(default=100)
    options = models.JSONField(help_text="For each kind its options by their wire names.")
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name
