from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from commands.models.credential import Credential
from commands.models.leased import Leased
from commands.rules import policies
from commands.rules.policies import Refusal
from commands.rules.quota import DailyQuota


class AccountQuerySet(models.QuerySet["Account"]):
    def active(self) -> Self:
        """Filter accounts of the present upstream that have a credential and are not retired."""
        return self._in_use().filter(credential__isnull=False)

    def without_credential(self) -> Self:
        """Filter accounts of the present upstream without a usable credential. Nothing is sent for them."""
        return self._in_use().filter(Q(credential=None) | Q(credential__secret=""))

    def _in_use(self) -> Self:
        return self.filter(upstream=settings.UPSTREAM.name, retired_at=None)


class Account(models.Model):
    """Cloudflare account. It is retired, never deleted, and belongs to one upstream for ever."""

    class Dialect(models.TextChoices):
        AUTO = "auto", "detect automatically"
        CURRENT = "current", "current API (June 2026 or later)"
        LEGACY = "legacy", "older API (before June 2026)"

    id = models.UUIDField(primary_key=True, editable=False)
    cloudflare_id = models.CharField(
        "Cloudflare's account id",
        max_length=32,
        validators=[RegexValidator(r"^[0-9A-Za-z_-]+$", "Letters, digits, _ and - only.")],
    )
    name = models.CharField(max_length=100)
    upstream = models.CharField(
        max_length=200,
        editable=False,
        help_text="The simulator, or the address of the API. Set when the account is created.",
    )
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, null=True, blank=True)
    dialect = models.CharField(max_length=10, choices=Dialect, default=Dialect.AUTO)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upstream", "cloudflare_id"], name="account_once_per_upstream"),
        ]

    def __str__(self) -> str:
        return self.name

    def refusal_to_run(self) -> Refusal | None:
        """Return why no command can be run in this account. None for an active one, as `active()` finds them."""
        return policies.account_in_use(
            self.name,
            retired=self.retired_at is not None,
            other_upstream=self.upstream != settings.UPSTREAM.name,
            has_credential=self.credential_id is not None,
        )


class AccountSync(Leased):
    """State of the workers for an account: lease of the sync, times of its listings, quota."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="sync")
    due_at = models.DateTimeField(null=True, help_text="When the next listing is due.")
    listed_at = models.DateTimeField(null=True, help_text="When the last successful listing, quick or complete, began.")
    complete_at = models.DateTimeField(null=True, help_text="When the last complete listing began.")
    complete_due_at = models.DateTimeField(null=True, help_text="When the next complete listing is due.")
    pass_page = models.PositiveIntegerField(
        default=0, help_text="Page at which an interrupted complete listing continues. 0 if none was interrupted."
    )
    pass_since = models.DateTimeField(
        null=True, help_text="Earliest creation time that the interrupted listing covers."
    )
    pass_begun_at = models.DateTimeField(null=True, help_text="When the interrupted listing began.")
    pass_doubt = models.DurationField(default=timedelta, help_text="Largest clock doubt of its pages so far.")
    pass_rests = models.BooleanField(default=False, help_text="The interrupted listing waits for a quick one.")
    directory_at = models.DateTimeField(
        null=True, help_text="When devices were last listed. Empty until all were listed once."
    )
    queue_position = models.PositiveIntegerField(
        default=0, help_text="Last queue position that was given to a large run."
    )
    clock_offset = models.DurationField(null=True, help_text="Cloudflare's clock minus ours, at the last response.")
    clock_doubt = models.DurationField(
        default=timedelta, help_text="How far the clocks of responses differed. Halved with each listing."
    )
    quota_total = models.PositiveIntegerField(null=True, help_text="Commands a day.")
    quota_used = models.PositiveIntegerField(null=True)
    quota_reset_at = models.DateTimeField(null=True)
    quota_read_at = models.DateTimeField(null=True, help_text="When the reading of the quota began.")
    quota_is_left = models.BooleanField(
        default=False, help_text="Cloudflare's figure means what is left, not the total."
    )

    @property
    def quota(self) -> DailyQuota:
        return DailyQuota(self.quota_total, self.quota_used, self.quota_reset_at, self.quota_read_at)

    @property
    def awaited_at(self) -> datetime | None:
        """Return the time of the next listing, or the end of the lease during a listing. After it the sync is late."""
        return self.due_at or self.lease_until

    def __str__(self) -> str:
        return f"sync of {self.account_id}"


class AccountDirectory(Leased):
    """Progress of the workers through the devices of an account."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="directory")
    due_at = models.DateTimeField(null=True, help_text="When the next page is due.")
    page = models.PositiveIntegerField(default=1, help_text="Next page.")
    pages = models.PositiveIntegerField(
        default=0, help_text="Pages of the last complete pass. 0 during the first pass."
    )

    def __str__(self) -> str:
        return f"directory of {self.account_id}"


class AccountVersionQuerySet(models.QuerySet["AccountVersion"]):
    def raise_for(self, account_ids: set[UUID]) -> None:
        """Raise versions at the end of a transaction that changes a list. In key order, against deadlocks."""
        for account_id in sorted(account_ids):
            self.filter(account_id=account_id).update(number=F("number") + 1)


class AccountVersion(models.Model):
    """Counter that is raised with every change that a list of the account shows. It is part of the table's token."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="version")
    number = models.PositiveBigIntegerField(default=0)

    objects = AccountVersionQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.number)
