"""Three ways to speak to one upstream: the official SDK, the portal's own client, and plain HTTP as curl sends it.

Each gives the same small answers, so that a test can compare them. None hides an error of its own kind.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from cloudflare import Cloudflare
from cloudflare.types.zero_trust.dex import CommandCreateResponse, CommandListResponse
from cloudflare.types.zero_trust.dex.commands import DeviceListResponse

from commands.cloudflare.auth import TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.types import NewCommand, Option
from tests.contract.upstream import Target, Upstream

type Options = Mapping[str, Option]
TIMEOUT = 30.0


@dataclass(frozen=True)
class Row:
    """One command of a listing; absent text is ''."""

    id: str
    kind: str
    status: str
    device_id: str
    user_email: str
    created_at: datetime
    filename: str


@dataclass(frozen=True)
class Filters:
    device_id: str = ""
    user_email: str = ""
    kind: str = ""
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> dict[str, str]:
        named = {
            "device_id": self.device_id,
            "user_email": self.user_email,
            "command_type": self.kind,
            "status": self.status,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in named.items() if value}


class Speaker(Protocol):
    def create(self, target: Target, kind: str, options: Options) -> str:
        """The new command's id."""

    def listed(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        """The first page."""

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        """Device, registration and email of the first page's rows."""

    def quota(self) -> tuple[float, float, datetime]:
        """Total, used, and when it is reset."""

    def download(self, command_id: str, filename: str) -> bytes: ...


class Sdk:
    """The SDK in its strict mode: an answer that does not fit its published types is an error."""

    def __init__(self, upstream: Upstream) -> None:
        self.account_id = upstream.account_id
        self.client = Cloudflare(
            api_token=upstream.token,
            base_url=upstream.base_url,
            max_retries=0,
            timeout=TIMEOUT,
            _strict_response_validation=True,
        )
        self.commands = self.client.zero_trust.dex.commands

    def created(self, target: Target, kind: str, options: Options) -> CommandCreateResponse:
        item: dict[str, object] = {"device_id": target.device_id, "user_email": target.user_email, "type": kind}
        if target.registration_id:
            item["registration_id"] = target.registration_id
        if options:
            item["args"] = {name.replace("-", "_"): value for name, value in options.items()}
        commands: Any = [item]  # the SDK's types of the items are closed unions; what is sent is theirs all the same
        answer = self.commands.create(account_id=self.account_id, commands=commands)
        assert isinstance(answer, CommandCreateResponse)
        return answer

    def create(self, target: Target, kind: str, options: Options) -> str:
        rows = self.created(target, kind, options).commands
        assert rows
        assert len(rows) == 1
        return str(rows[0].id)

    def listed(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        """Raw, then in the published type: the SDK's own iterator reads `result.items` and yields nothing."""
        given: dict[str, Any] = filters.query()
        if "from" in given:
            given["from_"] = given.pop("from")
        answer = self.commands.with_raw_response.list(account_id=self.account_id, page=1, per_page=per_page, **given)
        result = CommandListResponse.model_validate(json.loads(answer.text())["result"])
        return [
            Row(
                id=str(row.id),
                kind=row.type or "",
                status=row.status or "",
                device_id=row.device_id or "",
                user_email=row.user_email or "",
                created_at=_at(row.created_date),
                filename=row.filename or "",
            )
            for row in result.commands or []
        ]

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        given: dict[str, Any] = {"search": search} if search else {}
        answer = self.commands.devices.with_raw_response.list(account_id=self.account_id, page=1, per_page=50, **given)
        result = DeviceListResponse.model_validate(json.loads(answer.text())["result"])
        return {
            (row.device_id or "", row.registration_id or "", row.person_email or "") for row in result.devices or []
        }

    def quota(self) -> tuple[float, float, datetime]:
        answer = self.commands.quota.get(account_id=self.account_id)
        assert answer
        return answer.quota, answer.quota_usage, answer.reset_time

    def download(self, command_id: str, filename: str) -> bytes:
        answer = self.commands.downloads.get(filename, account_id=self.account_id, command_id=command_id)
        return answer.read()


class Portal:
    def __init__(self, upstream: Upstream) -> None:
        self.client = Client(upstream.base_url, upstream.account_id, TokenAuth(upstream.token))

    def create(self, target: Target, kind: str, options: Options) -> str:
        wanted = NewCommand(target.device_id, kind, target.user_email, target.registration_id, options)
        (made,) = self.client.create([wanted]).created
        return made.id

    def listed(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        page = self.client.list_commands(
            1,
            per_page,
            from_=filters.since,
            to=filters.until,
            device_id=filters.device_id,
            user_email=filters.user_email,
            kind=filters.kind,
            status=filters.status,
        )
        assert page.unreadable == 0
        return [
            Row(row.id, row.kind, row.status, row.device_id, row.user_email, _at(row.created_date), row.filename)
            for row in page.rows
        ]

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        page = self.client.list_devices(1, 50, search)
        return {(row.device_id, row.registration_id, row.user_email) for row in page.rows}

    def quota(self) -> tuple[float, float, datetime]:
        answer = self.client.quota()
        assert answer.total is not None
        assert answer.used is not None
        return answer.total, answer.used, _at(answer.reset_at)

    def download(self, command_id: str, filename: str) -> bytes:
        with self.client.download(command_id, filename) as file:
            return b"".join(file.chunks())


class Plain:
    def __init__(self, upstream: Upstream) -> None:
        self.address = f"{upstream.base_url}/accounts/{upstream.account_id}/dex/commands"
        self.headers = {"Authorization": f"Bearer {upstream.token}"}

    def ask(self, path: str = "", body: object = None, **query: str) -> bytes:
        """Raises urllib's HTTPError for a refusal."""
        address = f"{self.address}{path}" + (f"?{urlencode(query)}" if query else "")
        content = json.dumps(body).encode() if body is not None else None
        headers = self.headers | ({"Content-Type": "application/json"} if content else {})
        with urlopen(Request(address, content, headers), timeout=TIMEOUT) as answer:
            said: bytes = answer.read()
        return said

    def result(self, path: str = "", body: object = None, **query: str) -> Any:
        envelope = json.loads(self.ask(path, body, **query))
        assert envelope["success"] is True
        assert envelope["errors"] == []
        return envelope["result"]

    def create(self, target: Target, kind: str, options: Options) -> str:
        item: dict[str, object] = {"device_id": target.device_id, "user_email": target.user_email, "type": kind}
        if target.registration_id:
            item["registration_id"] = target.registration_id
        if options:
            item["args"] = dict(options)
        (made,) = self.result(body={"commands": [item]})["commands"]
        return str(made["id"])

    def listed(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        found = self.result(page="1", per_page=str(per_page), **filters.query())["commands"]
        return [
            Row(
                id=row["id"],
                kind=row["type"],
                status=row["status"],
                device_id=row["device_id"],
                user_email=row["user_email"],
                created_at=_at(datetime.fromisoformat(row["created_date"])),
                filename=row.get("filename") or "",
            )
            for row in found
        ]

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        query = {"search": search} if search else {}
        found = self.result("/devices", page="1", per_page="50", **query)["devices"]
        return {(row["deviceId"], row["registrationId"], row["personEmail"]) for row in found}

    def quota(self) -> tuple[float, float, datetime]:
        found = self.result("/quota")
        return found["quota"], found["quota_usage"], _at(datetime.fromisoformat(found["reset_time"]))

    def download(self, command_id: str, filename: str) -> bytes:
        return self.ask(f"/{command_id}/downloads/{filename.rpartition('/')[2]}")


def _at(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment.astimezone(UTC)


SPEAKERS: Mapping[str, Callable[[Upstream], Speaker]] = {"sdk": Sdk, "portal": Portal, "plain": Plain}
