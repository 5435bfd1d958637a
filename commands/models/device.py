from django.db import models
from django.db.models.functions import Lower

from commands.models.account import Account


class Device(models.Model):
    """Registration that Cloudflare listed: a person on a device.

    All rows with the same device_id are one machine. Absent text is '', and ids and emails are lower case.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="devices")
    device_id = models.CharField("device ID", max_length=64)
    registration_id = models.CharField("registration ID", max_length=64, blank=True)
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=255, blank=True)
    platform = models.CharField(max_length=32, blank=True)
    client_version = models.CharField(max_length=64, blank=True)
    connection = models.CharField(max_length=32, blank=True, help_text="As sent by Cloudflare, such as connected.")
    eligible = models.BooleanField(null=True, help_text="Cloudflare says that commands can run on the device.")
    ineligible_reason = models.CharField(max_length=300, blank=True)
    seen_at = models.DateTimeField("last connected", null=True, help_text="By Cloudflare's clock.")
    listed_at = models.DateTimeField("last listed", help_text="When Cloudflare last listed the device.")

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
