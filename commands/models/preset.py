from django.db import models


class Preset(models.Model):
    """Named choice of kinds and options. Administrators can change or deactivate the shipped presets."""

    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(default=100, help_text="Order on the desk, lowest first.")
    options = models.JSONField(help_text='JSON, e.g. {"pcap": {"time-limit-min": 5}}.')
    active = models.BooleanField(default=True, help_text="Only active presets are offered.")

    def __str__(self) -> str:
        return self.name
