"""Three clients of one upstream: the official SDK, the portal's client, and plain HTTP.

Their results have the same types, so that a test can compare them. Each raises its own exceptions unchanged.
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
from tests.polling import MAX_WAIT

type Options = Mapping[str, Option]


@dataclass(frozen=True)
class Row:
    """One command of a listing. Absent text is ""."""

    id: str
    kind: str
    status: str
    device_id: str
    user_email: str
    created_at: datetime
    filename: str


@dataclass(frozen=True)
class Filters:
    """Filters of a listing. None and "" do not filter."""

    device_id: str = ""
    user_email: str = ""
    kind: str = ""
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def query(self) -> dict[str, str]:
        parameters = {
            "device_id": self.device_id,
            "user_email": self.user_email,
            "command_type": self.kind,
            "status": self.status,
            "from": self.since.isoformat() if self.since else "",
            "to": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in parameters.items() if value}


class ApiClient(Protocol):
    """Calls that all three clients have."""

    def create(self, target: Target, kind: str, options: Options) -> str:
        """Create one command and return its id."""

    def list_commands(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        """Return the first page of the listing."""

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        """Return device, registration and email of each row of the first page."""

    def quota(self) -> tuple[float, float, datetime]:
        """Return the total, the usage and the time of the reset."""

    def download(self, command_id: str, filename: str) -> bytes: ...


class Sdk:
    """Official SDK in strict mode: a response that does not fit its published types is an error."""

    def __init__(self, upstream: Upstream) -> None:
        self.account_id = upstream.account_id
        self.client = Cloudflare(
            api_token=upstream.token,
            base_url=upstream.base_url,
            max_retries=0,
            timeout=MAX_WAIT,
            _strict_response_validation=True,
        )
        self.commands = self.client.zero_trust.dex.commands

    def create_response(self, target: Target, kind: str, options: Options) -> CommandCreateResponse:
        item: dict[str, object] = {"device_id": target.device_id, "user_email": target.user_email, "type": kind}
        if target.registration_id:
            item["registration_id"] = target.registration_id
        if options:
            item["args"] = {name.replace("-", "_"): value for name, value in options.items()}
        commands: Any = [item]  # the SDK types items as closed unions, which a dict does not fit for mypy
        response = self.commands.create(account_id=self.account_id, commands=commands)
        assert isinstance(response, CommandCreateResponse)
        return response

    def create(self, target: Target, kind: str, options: Options) -> str:
        rows = self.create_response(target, kind, options).commands
        assert rows
        assert len(rows) == 1
        return str(rows[0].id)

    def list_commands(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        """Read the raw response into the published type.

        The SDK's own iterator reads `result.items`, which this API does not have, and yields nothing.
        """
        parameters: dict[str, Any] = filters.query()
        if "from" in parameters:
            # `from` is a keyword of Python
            parameters["from_"] = parameters.pop("from")
        response = self.commands.with_raw_response.list(
            account_id=self.account_id, page=1, per_page=per_page, **parameters
        )
        result = CommandListResponse.model_validate(json.loads(response.text())["result"])
        return [
            Row(
                id=str(row.id),
                kind=row.type or "",
                status=row.status or "",
                device_id=row.device_id or "",
                user_email=row.user_email or "",
                created_at=_in_utc(row.created_date),
                filename=row.filename or "",
            )
            for row in result.commands or []
        ]

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        parameters: dict[str, Any] = {"search": search} if search else {}
        response = self.commands.devices.with_raw_response.list(
            account_id=self.account_id, page=1, per_page=50, **parameters
        )
        result = DeviceListResponse.model_validate(json.loads(response.text())["result"])
        return {
            (row.device_id or "", row.registration_id or "", row.person_email or "") for row in result.devices or []
        }

    def quota(self) -> tuple[float, float, datetime]:
        response = self.commands.quota.get(account_id=self.account_id)
        assert response
        return response.quota, response.quota_usage, response.reset_time

    def download(self, command_id: str, filename: str) -> bytes:
        response = self.commands.downloads.get(filename, account_id=self.account_id, command_id=command_id)
        return response.read()


class Portal:
    """Portal's own client."""

    def __init__(self, upstream: Upstream) -> None:
        self.client = Client(upstream.base_url, upstream.account_id, TokenAuth(upstream.token))

    def create(self, target: Target, kind: str, options: Options) -> str:
        command = NewCommand(target.device_id, kind, target.user_email, target.registration_id, options)
        (created,) = self.client.create([command]).created
        return created.id

    def list_commands(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
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
            Row(row.id, row.kind, row.status, row.device_id, row.user_email, _in_utc(row.created_date), row.filename)
            for row in page.rows
        ]

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        page = self.client.list_devices(1, 50, search)
        return {(row.device_id, row.registration_id, row.user_email) for row in page.rows}

    def quota(self) -> tuple[float, float, datetime]:
        response = self.client.quota()
        assert response.total is not None
        assert response.used is not None
        return response.total, response.used, _in_utc(response.reset_at)

    def download(self, command_id: str, filename: str) -> bytes:
        with self.client.download(command_id, filename) as file:
            return b"".join(file.chunks())


class Plain:
    """Plain HTTP, with the requests that curl would send."""

    def __init__(self, upstream: Upstream) -> None:
        self.address = f"{upstream.base_url}/accounts/{upstream.account_id}/dex/commands"
        self.headers = {"Authorization": f"Bearer {upstream.token}"}

    def request(self, path: str = "", body: object = None, **query: str) -> bytes:
        """Send a request and return the body. An error status raises urllib's HTTPError."""
        address = f"{self.address}{path}" + (f"?{urlencode(query)}" if query else "")
        content = json.dumps(body).encode() if body is not None else None
        headers = self.headers | ({"Content-Type": "application/json"} if content else {})
        with urlopen(Request(address, content, headers), timeout=MAX_WAIT) as response:
            received: bytes = response.read()
        return received

    def result(self, path: str = "", body: object = None, **query: str) -> Any:
        envelope = json.loads(self.request(path, body, **query))
        assert envelope["success"] is True
        assert envelope["errors"] == []
        return envelope["result"]

    def create(self, target: Target, kind: str, options: Options) -> str:
        item: dict[str, object] = {"device_id": target.device_id, "user_email": target.user_email, "type": kind}
        if target.registration_id:
            item["registration_id"] = target.registration_id
        if options:
            item["args"] = dict(options)
        (created,) = self.result(body={"commands": [item]})["commands"]
        return str(created["id"])

    def list_commands(self, filters: Filters, *, per_page: int = 50) -> list[Row]:
        rows = self.result(page="1", per_page=str(per_page), **filters.query())["commands"]
        return [
            Row(
                id=row["id"],
                kind=row["type"],
                status=row["status"],
                device_id=row["device_id"],
                user_email=row["user_email"],
                created_at=_in_utc(datetime.fromisoformat(row["created_date"])),
                filename=row.get("filename") or "",
            )
            for row in rows
        ]

    def devices(self, search: str = "") -> set[tuple[str, str, str]]:
        query = {"search": search} if search else {}
        rows = self.result("/devices", page="1", per_page="50", **query)["devices"]
        return {(row["deviceId"], row["registrationId"], row["personEmail"]) for row in rows}

    def quota(self) -> tuple[float, float, datetime]:
        quota = self.result("/quota")
        return quota["quota"], quota["quota_usage"], _in_utc(datetime.fromisoformat(quota["reset_time"]))

    def download(self, command_id: str, filename: str) -> bytes:
        return self.request(f"/{command_id}/downloads/{filename.rpartition('/')[2]}")


def _in_utc(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment.astimezone(UTC)


CLIENTS: Mapping[str, Callable[[Upstream], ApiClient]] = {"sdk": Sdk, "portal": Portal, "plain": Plain}
