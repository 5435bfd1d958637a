from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.db.models.sql.compiler import SQLCompiler

from commands.models.account import Account
from commands.models.dispatch import Dispatch
from commands.models.run import Run
from commands.rules import causes
from commands.rules.kinds import Kind
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import IN_FLIGHT, OPEN, REMOTE, UNSENT, Status


def _values(statuses: frozenset[Status] | tuple[Status, ...]) -> list[str]:
    """Sort the values, so that migrations don't change with the hash seed."""
    return sorted(status.value for status in statuses)


class OneOf(models.Lookup):
    """IN with literal values, as in the condition of a partial index: otherwise SQLite does not use that index."""

    lookup_name = "one_of"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN ({', '.join(f"'{value}'" for value in self.rhs)})", params


class CommandQuerySet(models.QuerySet["Command"]):
    def open(self) -> Self:
        return self.filter(OneOf(F("status"), _values(OPEN)))

    def in_flight(self) -> Self:
        return self.filter(OneOf(F("status"), _values(IN_FLIGHT)))

    def shown(self) -> Self:
        """Exclude imports that were merged into our own commands."""
        return self.filter(merged_into=None)

    def claimed_since(self, at: datetime | models.OuterRef) -> Self:
        """Return our commands that may have been sent since: those that a quota read then may not include yet.

        A POST that was claimed before the reading counts for as long as it may have arrived after it.
        """
        in_progress = Q(dispatch__ended_at=None, dispatch__lease_until__gte=at)
        landed = Q(dispatch__claimed_at__gte=at) | Q(dispatch__ended_at__gte=at) | in_progress
        return self.ours().filter(landed)

    def ours(self) -> Self:
        return self.filter(started_elsewhere=False)


class Command(models.Model):
    """Command for one machine: a part of a run, or a command that was started elsewhere.

    It keeps its own copy of device and person, because the directory forgets devices. Absent text is ''. Only
    `actions/record/transitions.py` writes `status`, `status_at` and `version`.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="commands")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="commands", db_index=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="commands"
    )
    requested_at = models.DateTimeField()
    ticket = models.CharField(max_length=64, blank=True)
    started_elsewhere = models.BooleanField(default=False)

    kind = models.CharField(max_length=20)
    options = models.JSONField(default=dict)
    device_id = models.CharField(max_length=64)
    registration_id = models.CharField(max_length=64, blank=True)
    email = models.CharField(max_length=254, blank=True)
    device_name = models.CharField(max_length=255, blank=True)
    platform = models.CharField(max_length=32, blank=True)
    listed = models.BooleanField(default=True, help_text="Cloudflare listed this device at the time of the request.")

    status = models.CharField(max_length=20, choices=[(s.value, s.value) for s in Status])
    status_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=0)
    reason_code = models.CharField(
        max_length=30,
        blank=True,
        choices=[(code.value, code.value) for code in CommandReasonCode],
        help_text="Why it has this status, if known.",
    )
    remote_message = models.CharField(max_length=500, blank=True, help_text="Cloudflare's own message about it.")
    queue_position = models.PositiveIntegerField(
        default=0, editable=False, help_text="Position in the queue, lowest first."
    )
    not_before = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="If it isn't sent by then, it expires.")
    deadline_at = models.DateTimeField(
        null=True, help_text="If Cloudflare hasn't reported by then, it's marked unconfirmed."
    )
    send_alone = models.BooleanField(default=False, help_text="Sent in a POST of its own.")
    held_at = models.DateTimeField(
        null=True, help_text="On hold since then, after a long pause: sent only after Send now."
    )
    send_now_at = models.DateTimeField(null=True, help_text="When someone pressed Send now.")
    dispatch = models.ForeignKey(Dispatch, on_delete=models.PROTECT, null=True, related_name="commands")
    missed_listings = models.PositiveSmallIntegerField(
        default=0, help_text="Complete listings since the lease ended that did not include it."
    )
    possible_match = models.BooleanField(
        default=False,
        help_text="Cloudflare refused it, but listed a command that may be this one, apart from its time.",
    )

    remote_id = models.CharField(max_length=64, blank=True)
    remote_status = models.CharField(max_length=40, blank=True, help_text="Status as sent by Cloudflare.")
    remote_created_at = models.DateTimeField(null=True)
    remote_completed_at = models.DateTimeField(null=True)
    match_uncertain = models.BooleanField(default=False, help_text="Matched, but another match was possible.")

    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="merged",
        help_text="It was imported as started elsewhere, and turned out to be this command of ours.",
    )

    objects = CommandQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="command_status_known", condition=Q(status__in=_values(tuple(Status)))),
            models.UniqueConstraint(
                fields=["account", "remote_id"], condition=~Q(remote_id=""), name="command_once_a_remote_id"
            ),
            models.UniqueConstraint(
                fields=["account", "device_id", "kind"],
                condition=Q(started_elsewhere=False, status__in=_values(IN_FLIGHT)),
                name="command_one_in_flight_a_kind",
            ),
            models.UniqueConstraint(
                fields=["account", "device_id"],
                condition=Q(
                    started_elsewhere=False,
                    platform="windows",
                    kind__in=["pcap", "warp-diag"],
                    status__in=_values(IN_FLIGHT),
                ),
                name="command_one_capture_on_windows",
            ),
            models.CheckConstraint(
                name="command_in_flight_has_dispatch",
                condition=~Q(status__in=_values(IN_FLIGHT)) | Q(started_elsewhere=True) | Q(dispatch__isnull=False),
            ),
            models.CheckConstraint(
                name="command_unsent_has_no_remote_id",
                condition=~Q(status__in=_values(UNSENT)) | Q(remote_id=""),
            ),
            models.CheckConstraint(
                name="command_remote_has_remote_id",
                condition=~Q(status__in=_values(REMOTE)) | ~Q(remote_id="") | Q(merged_into__isnull=False),
            ),
            models.CheckConstraint(
                name="command_of_ours_has_run",
                condition=Q(started_elsewhere=True, run=None, requested_by=None)
                | Q(started_elsewhere=False, run__isnull=False, requested_by__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "id"], name="command_by_account"),
            models.Index(fields=["account", "status", "id"], name="command_by_status"),
            models.Index(fields=["account", "kind", "id"], name="command_by_kind"),
            models.Index(fields=["account", "email", "id"], name="command_by_email"),
            models.Index(fields=["account", "device_id", "id"], name="command_by_device"),
            models.Index("account", Lower("ticket"), "id", name="command_by_ticket"),
            models.Index(fields=["account", "requested_by", "id"], name="command_by_requester"),
            models.Index("account", Lower("device_name"), "id", name="command_by_device_name"),
            models.Index(fields=["run", "id"], name="command_by_run"),
            # SQLite does not use the index of a constraint with a condition.
            models.Index(fields=["account", "remote_id"], name="command_by_remote_id"),
            models.Index(
                fields=["account", "queue_position", "id"],
                condition=Q(status="queued"),
                name="command_by_queue_position",
            ),
            models.Index(fields=["account", "status"], condition=Q(status__in=_values(OPEN)), name="command_open"),
            models.Index(
                fields=["account", "kind", "device_id"],
                condition=Q(status__in=_values(IN_FLIGHT)),
                name="command_in_flight",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.device_name or self.device_id}"

    @property
    def may_run_until(self) -> datetime | None:
        """Return until when an unconfirmed command may still run on the device. None if it certainly does not run."""
        if self.status != Status.UNCONFIRMED or self.kind not in set(Kind):
            return None
        sent_by = self.dispatch.lease_until if self.dispatch else self.requested_at
        began_by = self.remote_created_at or sent_by
        return causes.may_run_until(Kind(self.kind), self.options, began_by, scale=settings.TIME_SCALE)
