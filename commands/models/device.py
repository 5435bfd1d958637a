from django.db import models
from django.db.models.functions import Lower

from commands.models.account import Account


class Device(models.Model):
    """One registration that Cloudflare listed: device, person and registration belong together.

    A machine is all rows with one device_id. Absent is '', ids and emails are lower case.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="devices")
    device_id = models.CharField(max_length=64)
    registration_id = models.CharField(max_length=64, blank=True)
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=255, blank=True)
    platform = models.CharField(max_length=32, blank=True)
    client_version = models.CharField(max_length=64, blank=True)
    connection = models.CharField(max_length=32, blank=True, help_text="Cloudflare's word: connected, ...")
    eligible = models.BooleanField(null=True)
    ineligible_reason = models.CharField(max_length=300, blank=True)
    seen_at = models.DateTimeField(null=True, help_text="Cloudflare's time: when the device was last connected.")
    listed_at = models.DateTimeField(help_text="When Cloudflare last listed it to us.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "device_id", "registration_id"], name="device_once_a_registration"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "email"], name="device_by_email"),
            models.Index(fields=["account", "listed_at"], name="device_by_listing"),
            models.Index("account", Lower("name"), name="device_by_name"),
        ]

    def __str__(self) -> str:
        return self.name or self.device_id
