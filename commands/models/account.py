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
        """Accounts of the upstream that this portal talks to now, with a credential, not retired."""
        return self._in_use().filter(credential__isnull=False)

    def without_credential(self) -> Self:
        """In use, but nobody can speak for them: nothing is sent or fetched."""
        return self._in_use().filter(Q(credential=None) | Q(credential__secret=""))

    def _in_use(self) -> Self:
        return self.filter(upstream=settings.UPSTREAM.name, retired_at=None)


class Account(models.Model):
    """A Cloudflare account. Retired, never deleted; it remembers the upstream that it belongs to."""

    class Dialect(models.TextChoices):
        AUTO = "auto", "found out with the first command"
        CURRENT = "current", "since June 2026 (type, args)"
        LEGACY = "legacy", "until June 2026 (command_type, command_args)"

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
        help_text="The simulator, or the address of the API; set when it is made.",
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
    """What the workers know of an account: who syncs it, how fresh its listings are, its quota."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="sync")
    due_at = models.DateTimeField(null=True, help_text="When the next listing is due.")
    listed_at = models.DateTimeField(null=True, help_text="When the last good listing, of either sort, began.")
    complete_at = models.DateTimeField(null=True, help_text="When the last complete listing began.")
    complete_due_at = models.DateTimeField(null=True, help_text="A complete one is due by then, whatever else is.")
    pass_page = models.PositiveIntegerField(
        default=0, help_text="The page with which an interrupted complete listing goes on; 0: none was interrupted."
    )
    pass_since = models.DateTimeField(null=True, help_text="From when on that one lists.")
    pass_begun_at = models.DateTimeField(null=True, help_text="When it began.")
    pass_doubt = models.DurationField(default=timedelta, help_text="The largest clock doubt of its pages so far.")
    pass_rests = models.BooleanField(default=False, help_text="A quick listing goes first.")
    directory_at = models.DateTimeField(null=True, help_text="When devices were last listed, the first time: all.")
    queue_position = models.PositiveIntegerField(default=0, help_text="How far the turns of the large runs have come.")
    clock_offset = models.DurationField(null=True, help_text="Cloudflare's clock less ours, at the last answer.")
    clock_doubt = models.DurationField(default=timedelta, help_text="How far answers differed; halves with a listing.")
    quota_total = models.PositiveIntegerField(null=True, help_text="Commands a day.")
    quota_used = models.PositiveIntegerField(null=True)
    quota_reset_at = models.DateTimeField(null=True)
    quota_read_at = models.DateTimeField(null=True, help_text="When the reading of the quota began.")
    quota_is_left = models.BooleanField(default=False, help_text="Cloudflare tells what is left, not the total.")

    @property
    def quota(self) -> DailyQuota:
        return DailyQuota(self.quota_total, self.quota_used, self.quota_reset_at, self.quota_read_at)

    @property
    def awaited_at(self) -> datetime | None:
        """When a listing is due; while one is under way, when its lease ends. After that it is late."""
        return self.due_at or self.lease_until

    def __str__(self) -> str:
        return f"sync of {self.account_id}"


class AccountDirectory(Leased):
    """How far the workers have come through the devices of an account, and who is at it."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="directory")
    due_at = models.DateTimeField(null=True, help_text="When the next page is due.")
    page = models.PositiveIntegerField(default=1, help_text="The page that comes next.")
    pages = models.PositiveIntegerField(default=0, help_text="Pages of the last whole pass; 0: the first one goes on.")

    def __str__(self) -> str:
        return f"directory of {self.account_id}"


class AccountVersionQuerySet(models.QuerySet["AccountVersion"]):
    def raise_for(self, account_ids: set[UUID]) -> None:
        """The last statement of every transaction that changes what a list shows; in key order, so none deadlock."""
        for account_id in sorted(account_ids):
            self.filter(account_id=account_id).update(number=F("number") + 1)


class AccountVersion(models.Model):
    """A counter that is raised with every change of what a list of the account shows: the table's token."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="version")
    number = models.PositiveBigIntegerField(default=0)

    objects = AccountVersionQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.number)
