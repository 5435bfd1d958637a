from django.conf import settings
from django.db import models

from commands.models.account import Account


class Run(models.Model):
    """Request of a person: targets, kinds and options, with a reason and a ticket."""

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="runs")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs")
    requested_at = models.DateTimeField()
    options = models.JSONField(help_text='JSON, e.g. {"pcap": {"time-limit-min": 5}}.')
    devices = models.PositiveIntegerField(help_text="Number of devices.")
    purpose = models.CharField(max_length=60, blank=True)
    ticket = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    form_key = models.UUIDField(help_text="The form's one-time key: a second submit creates no second run.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["requested_by", "form_key"], name="run_once_a_form")]

    def __str__(self) -> str:
        return f"run {self.id}"
