from django.contrib.auth.models import Group
from django.db import models

from commands.models.account import Account


class Grant(models.Model):
    """Rights of a group in one account, or in all accounts."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="grants")
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, null=True, blank=True, help_text="Leave blank for all accounts."
    )
    run = models.BooleanField("run commands", default=False)
    see = models.BooleanField("see commands", default=False)
    see_contents = models.BooleanField("open or download results", default=False)
    export = models.BooleanField(default=False)
    administer = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "account"], name="grant_once_an_account"),
            models.UniqueConstraint(
                fields=["group"], condition=models.Q(account=None), name="grant_once_for_all_accounts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} in {self.account or 'all accounts'}"
