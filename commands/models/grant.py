from django.contrib.auth.models import Group
from django.db import models

from commands.models.account import Account


class Grant(models.Model):
    """What the people of a group may do in one account, or in all of them."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="grants")
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, null=True, blank=True, help_text="Empty: every account."
    )
    run = models.BooleanField(default=False)
    see = models.BooleanField(default=False)
    see_contents = models.BooleanField(default=False)
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
        return f"{self.group} in {self.account or 'every account'}"
