"""Viewers and rows that exist without a database, for tests of page objects."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from commands.access import Right, Rights
from commands.models import Account, AccountSync, AccountVersion, Artifact, Command, Credential, Device, Run, User
from commands.queries.commands import CommandRow, ListPage
from commands.queries.heartbeats import Liveness
from commands.queries.pauses import NO_PAUSES
from commands.queries.viewer_context import ViewerContext
from commands.rules.ids import new_id
from commands.rules.states import ArtifactStatus, Status
from commands.web.shared.lists.address import ListAddress

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
ACCOUNT_ID = UUID("00000000-0000-4000-8000-00000000acc0")
READER = (Right.SEE,)
HELPDESK = (Right.SEE, Right.RUN)


def unsaved_user(username: str = "hanna", /, pk: int = 7, **values: Any) -> User:
    return User(pk=pk, username=username, email=f"{username}@example.com", **values)


def unsaved_account(name: str = "Acme", /, id_: UUID = ACCOUNT_ID, **values: Any) -> Account:
    """Return an active account with its credential, its sync, and version 4 of its lists."""
    credential = Credential(pk=1, name=f"Credential of {name}")
    defaults = {"id": id_, "name": name, "upstream": settings.UPSTREAM.name, "credential": credential}
    account = Account(**defaults | values)
    AccountSync(account=account)
    AccountVersion(account=account, number=4)
    return account


def viewer_context(*rights: Right, account: Account | None = None, user: User | None = None) -> ViewerContext:
    """Return the context of a viewer with exactly these rights in the account."""
    account, user = account or unsaved_account(), user or unsaved_user()
    return ViewerContext(
        user=user,
        account=account,
        rights=frozenset(rights),
        accounts=(account,),
        liveness=Liveness({}, NOW),
        wakes=True,
        claimed=0,
        list_pause="",
        all_rights=Rights(by_account={account.id: frozenset(rights)}),
        trouble=NO_PAUSES,
    )


def unsaved_run(**values: Any) -> Run:
    defaults = {"id": new_id(NOW), "account": unsaved_account(), "requested_by": unsaved_user(), "requested_at": NOW}
    return Run(**{**defaults, "options": {"pcap": {"time-limit-min": 5}}, "devices": 1, **values})


def unsaved_command(status: str = Status.QUEUED, /, **values: Any) -> Command:
    """Return a packet capture that hanna requested for maria's Windows laptop, a minute ago."""
    started = NOW - timedelta(minutes=1)
    defaults: dict[str, Any] = {
        "id": new_id(started),
        "account": unsaved_account(),
        "requested_by": unsaved_user(),
        "requested_at": started,
        "kind": "pcap",
        "options": {"time-limit-min": 2},
        "device_id": "d0000000000000000000000000000042",
        "device_name": "LAP-0042",
        "email": "maria@example.com",
        "platform": "windows",
        "status": status,
        "status_at": started,
    }
    return Command(**defaults | values)


def started_elsewhere(status: str = Status.SUCCESS, /, **values: Any) -> Command:
    return unsaved_command(status, started_elsewhere=True, requested_by=None, **values)


def unsaved_artifact(status: str = ArtifactStatus.STORED, /, command: Command | None = None, **values: Any) -> Artifact:
    command = command or unsaved_command(Status.SUCCESS)
    defaults = {"id": new_id(NOW), "command": command, "status": status, "status_at": NOW, "filename": "capture.zip"}
    return Artifact(**{**defaults, "deleted_remotely_at": NOW + timedelta(days=7), **values})


def unsaved_device(**values: Any) -> Device:
    """Return maria's connected Windows laptop, as Cloudflare lists it."""
    defaults: dict[str, Any] = {
        "account": unsaved_account(),
        "device_id": "d0000000000000000000000000000042",
        "registration_id": "r1",
        "email": "maria@example.com",
        "name": "LAP-0042",
        "platform": "windows",
        "client_version": "2026.9.100.0",
        "connection": "connected",
        "eligible": True,
        "seen_at": NOW,
        "listed_at": NOW,
    }
    return Device(**defaults | values)


def row_of(command: Command, artifact: Artifact | None = None, *, captures_beside: bool = False) -> CommandRow:
    return CommandRow(command, artifact, captures_beside)


def list_page(*commands: Command, has_more: bool = False) -> ListPage:
    return ListPage([row_of(command) for command in commands], has_more)


def list_address(path: str = "/history/", /, **values: Any) -> ListAddress:
    return ListAddress(**{"path": path, "account_id": ACCOUNT_ID, "filters": {}, **values})


def names(count: int) -> Sequence[str]:
    """Return device names: LAP-1, LAP-2, ..."""
    return [f"LAP-{number}" for number in range(1, count + 1)]
