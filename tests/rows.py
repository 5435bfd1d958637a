"""Single rows, written directly to the database, for tests of constraints and of pages that only display them.

Tests of operations must reach their state through `commands/actions/` instead.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from commands.models import (
    Account,
    Artifact,
    CallBudget,
    Command,
    Device,
    Dispatch,
    Event,
    Notification,
    Pause,
    Run,
    User,
)
from commands.rules.ids import new_id
from commands.rules.pauses import Operation, PauseReason
from commands.rules.states import IN_FLIGHT, REMOTE, ArtifactStatus, Mover, Status


def make_run(account: Account, person: User, /, **values: Any) -> Run:
    now = timezone.now()
    return Run.objects.create(
        **{
            "id": new_id(now),
            "account": account,
            "requested_by": person,
            "requested_at": now,
            "options": {},
            "devices": 1,
        }
        | {"form_key": uuid4(), **values}
    )


def make_dispatch(account: Account, /, **values: Any) -> Dispatch:
    now = timezone.now()
    return Dispatch.objects.create(
        **{"id": new_id(now), "account": account, "kind": "pcap", "claimed_at": now}
        | {"lease_until": now + timedelta(seconds=60), **values}
    )


def make_command(run: Run, /, status: str = Status.QUEUED, **values: Any) -> Command:
    """Create a command that satisfies every constraint of its status, unless `values` break one."""
    now = timezone.now()
    defaults: dict[str, Any] = {
        "id": new_id(now),
        "account": run.account,
        "run": run,
        "requested_by": run.requested_by,
        "requested_at": now,
        "kind": "pcap",
        "device_id": uuid4().hex,
        "status": status,
        "status_at": now,
    }
    if status in IN_FLIGHT and "dispatch" not in values:
        defaults["dispatch"] = make_dispatch(run.account)
    if status in REMOTE:
        defaults["remote_id"] = uuid4().hex
    return Command.objects.create(**defaults | values)


def make_event(command: Command, /, version: int | None = 1, **values: Any) -> Event:
    now = timezone.now()
    return Event.objects.create(
        **{"id": new_id(now), "at": now, "event": "moved", "account": command.account, "run": command.run}
        | {"command": command, "version": version, "mover": Mover.PORTAL, **values}
    )


def make_artifact(command: Command, /, status: str = ArtifactStatus.WANTED, **values: Any) -> Artifact:
    now = timezone.now()
    return Artifact.objects.create(
        **{"id": new_id(now), "command": command, "status": status, "status_at": now, "filename": "capture.zip"}
        | {"deleted_remotely_at": now + timedelta(days=7), **values}
    )


def make_pause(account: Account, /, operation: str = Operation.CREATE, **values: Any) -> Pause:
    """Pause of an operation with Cloudflare's message "No.": refused, or because Cloudflare failed."""
    now = timezone.now()
    code = PauseReason.ACCOUNT_REFUSED if values.get("refused") else PauseReason.SERVER_ERROR
    return Pause.objects.create(
        **{"account": account, "operation": operation, "since": now, "until": now + timedelta(minutes=2)}
        | {"reason_code": code, "remote_message": "No.", **values}
    )


def make_notification(pause: Pause, /, **values: Any) -> Notification:
    return Notification.objects.create(
        **{"kind": Notification.Kind.REFUSED, "account": pause.account, "pause": pause, "created_at": timezone.now()}
        | values
    )


def rate_limit(*accounts: Account) -> None:
    """Pause the credentials of these accounts, or all credentials, for 2 minutes after a 429."""
    now = timezone.now()
    budgets = CallBudget.objects.filter(credential__account__in=accounts) if accounts else CallBudget.objects.all()
    budgets.update(
        paused_since=now, paused_until=now + timedelta(minutes=2), pause_reason_code=PauseReason.RATE_LIMITED
    )


def trouble(account: Account, person: User) -> None:
    """Pause all operations and the credential, and hold a command: every banner about Cloudflare at once."""
    now = timezone.now()
    for number, operation in enumerate(Operation):
        make_pause(account, operation, since=now, until=now + timedelta(minutes=number), refused=number < 2)
    rate_limit(account)
    make_command(make_run(account, person), Status.QUEUED, held_at=now, reason_code="held_after_pause")


def make_device(account: Account, /, **values: Any) -> Device:
    return Device.objects.create(
        **{"account": account, "device_id": uuid4().hex, "listed_at": timezone.now(), **values}
    )
