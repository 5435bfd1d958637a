from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F

from commands.models.command import Command, OneOf
from commands.models.leased import Leased
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.states import HAS_FILE, TO_FETCH, ArtifactStatus

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_TO_FETCH = [status.value for status in TO_FETCH]


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def to_fetch(self) -> Self:
        """Artifacts still to fetch, or being fetched.

        The lower bound, which every row passes, lets SQLite use the partial index `artifact_to_fetch`.
        """
        return self.filter(OneOf(F("status"), _TO_FETCH), deleted_remotely_at__gt=_EVER)

    def expiring(self, now: datetime) -> Self:
        """Filter results that are not downloaded yet and that Cloudflare deletes within ARTIFACT_URGENT."""
        soon = now + settings.ARTIFACT_URGENT
        return self.to_fetch().filter(deleted_remotely_at__gt=now, deleted_remotely_at__lte=soon)


class Artifact(Leased):
    """Zip that a command produced, and the state of our copy."""

    id = models.UUIDField(primary_key=True, editable=False)
    command = models.OneToOneField(Command, on_delete=models.PROTECT, related_name="artifact")
    status = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in ArtifactStatus], default=ArtifactStatus.WANTED
    )
    status_at = models.DateTimeField()
    filename = models.CharField(max_length=255, help_text="Cloudflare's name of the file: the last part of its path.")
    deleted_remotely_at = models.DateTimeField(help_text="When Cloudflare deletes its copy.")
    etag = models.CharField(max_length=200, blank=True)
    announced_size = models.PositiveBigIntegerField(
        null=True, help_text="Bytes of the whole file with this ETag. The spool holds a part of it."
    )
    size = models.PositiveBigIntegerField(null=True, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True)
    stored_at = models.DateTimeField(null=True)
    reason_code = models.CharField(
        max_length=30,
        blank=True,
        choices=[(reason.value, reason.value) for reason in ArtifactReason],
        help_text="Why the file isn't here or isn't complete, or why the last attempt failed.",
    )
    remote_message = models.CharField(
        max_length=500, blank=True, help_text="Message of the failing side: Cloudflare, the storage or the disk."
    )

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="artifact_status_known",
                condition=models.Q(status__in=sorted(s.value for s in ArtifactStatus)),
            ),
            models.CheckConstraint(
                name="artifact_with_file_is_whole",
                condition=~models.Q(status__in=sorted(s.value for s in HAS_FILE))
                | models.Q(size__isnull=False, stored_at__isnull=False) & ~models.Q(sha256=""),
            ),
            models.CheckConstraint(
                name="artifact_in_work_is_leased",
                condition=~models.Q(status__in=["fetching", "reading"])
                | models.Q(lease_token__isnull=False, lease_until__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["deleted_remotely_at"],
                condition=models.Q(status__in=_TO_FETCH),
                name="artifact_to_fetch",
            ),
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def storage_name(self) -> str:
        return self.storage_name_of(self.id)

    @staticmethod
    def storage_name_of(id_: UUID) -> str:
        """Return the name in the storage. It is made of the id, so that no remote name becomes part of a path."""
        return f"{id_.hex[:4]}/{id_}.zip"
