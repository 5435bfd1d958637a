"""Facts from the record that tell why a command failed, for `rules/causes.py`."""

from django.conf import settings
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, Value, When

from commands.models import Command
from commands.rules.causes import Cause, Facts, causes
from commands.rules.kinds import CAPTURES, OFFLINE_TIMEOUT, deadline
from commands.rules.states import FINAL_REMOTE, Status

LONGEST = max(deadline(kind, {}) for kind in CAPTURES)  # of any capture, from its creation on


def captures_beside() -> Case:
    """Annotate a query of commands: did another capture run on the same Windows machine when this one failed?

    A capture without a known end ran until Cloudflare reported its end at most, and never longer than a capture may.
    """
    born = OuterRef("remote_created_at")
    may_run = Q(remote_completed_at=None, remote_created_at__gt=born - LONGEST / settings.TIME_SCALE)
    may_run &= ~Q(status__in=sorted(FINAL_REMOTE)) | Q(status_at__gt=born)
    others = Command.objects.filter(
        Q(remote_completed_at__gt=born) | may_run,
        account=OuterRef("account"),
        device_id=OuterRef("device_id"),
        kind__in=CAPTURES,
        merged_into=None,
        remote_created_at__lt=OuterRef("remote_completed_at"),
    ).exclude(id=OuterRef("pk"))
    failed = Q(status=Status.FAILED, platform="windows", kind__in=CAPTURES)
    return Case(When(failed, then=Exists(others)), default=Value(False), output_field=BooleanField())


def of(command: Command, *, beside: bool) -> tuple[Cause, ...]:
    """Return the probable causes, the most probable first. `beside` is the value of `captures_beside`."""
    return causes(
        Facts(
            status=Status(command.status),
            kind=command.kind,
            options=command.options,
            platform=command.platform,
            created_at=command.remote_created_at,
            ended_at=command.remote_completed_at,
            captures_beside=beside,
            offline_timeout=OFFLINE_TIMEOUT / settings.TIME_SCALE,
            scale=settings.TIME_SCALE,
        )
    )


def of_one(command: Command) -> tuple[Cause, ...]:
    """Return the probable causes of one command. One query if a capture failed on Windows, else none."""
    is_asked = command.status == Status.FAILED and command.platform == "windows" and command.kind in CAPTURES
    row = Command.objects.filter(id=command.id).annotate(beside=captures_beside())
    return of(command, beside=is_asked and bool(row.values_list("beside", flat=True).get()))
