from django.db import models

from commands.models.account import Account
from commands.rules import pauses
from commands.rules.pauses import CREDENTIAL_PROBLEMS, PauseReason
from commands.rules.wording.pauses import OPERATIONS, describe_pause


class Pause(models.Model):
    """Pause of one operation for one account, after a network failure or a refusal (401, 403, 404).

    The operation is allowed if there is no row, or if `until` has passed. `failures` makes the next pause longer. The
    row is deleted when the operation succeeds. After a successful probe the row stays with `until` equal to `since`.
    """

    Operation = pauses.Operation

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="pauses")
    operation = models.CharField(max_length=10, choices=[(one.value, OPERATIONS[one]) for one in pauses.Operation])
    until = models.DateTimeField()
    since = models.DateTimeField()
    failures = models.PositiveIntegerField(default=1)
    refused = models.BooleanField(default=False, help_text="An administrator needs to fix something.")
    reason_code = models.CharField(max_length=30, choices=[(code.value, code.value) for code in PauseReason])
    remote_message = models.CharField(max_length=300, blank=True, help_text="Cloudflare's own message.")
    http_status = models.PositiveSmallIntegerField(null=True)
    code = models.IntegerField(null=True, help_text="Cloudflare's own code.")
    probed_at = models.DateTimeField(
        null=True, editable=False, help_text="When dexportal last checked if Cloudflare still refuses."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "operation"], name="pause_once_an_operation"),
            models.CheckConstraint(
                name="pause_operation_known",
                condition=models.Q(operation__in=["create", "list", "directory", "download"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} until {self.until:%H:%M}"

    @property
    def is_credential_problem(self) -> bool:
        """Return True if nothing reached Cloudflare, because dexportal has no usable credential."""
        return self.reason_code in CREDENTIAL_PROBLEMS

    @property
    def reason(self) -> str:
        """Sentence for people."""
        return describe_pause(self.reason_code, self.remote_message, http_status=self.http_status, code=self.code)
