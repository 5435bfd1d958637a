"""Every request of the portal's client matches Cloudflare's OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from openapi_core.exceptions import OpenAPIError

from commands.cloudflare.auth import KeyAuth, TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.types import Dialect, NewCommand, Option
from commands.rules.listed_command import ListedCommand
from tests.polling import MAX_WAIT, eventually
from tests.services.openapi_document import Validator, corrected, read
from tests.services.recorder import Recorder
from tests.simulator_process import SimulatorProcess

OPTIONS: list[tuple[str, Mapping[str, Option]]] = [
    ("pcap", {}),
    ("pcap", {"time-limit-min": 1}),
    ("pcap", {"time-limit-min": 10, "max-file-size-mb": 50, "packet-size-bytes": 1500}),
    ("warp-diag", {}),
    ("warp-diag", {"test-all-routes": True}),
    ("warp-diag", {"test-all-routes": False}),
    ("speed-test", {}),
    ("speed-test", {"interfaces": ("default",)}),
    ("speed-test", {"interfaces": ("default", "tunnel")}),
]


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(corrected(read()))


@pytest.fixture
def client(simulator: SimulatorProcess, recorder: Recorder) -> Iterator[Client]:
    with Client(recorder.base_url, simulator.account_id, TokenAuth(simulator.token)) as client:
        yield client


@pytest.fixture
def reliable_rows(simulator: SimulatorProcess) -> list[dict[str, Any]]:
    """Return devices on which every command can be created, one row for each."""
    with urlopen(f"{simulator.control_url}/world", timeout=MAX_WAIT) as response:
        rows = json.load(response)["devices"]
    by_device = {row["device_id"]: row for row in rows if row["online"] and row["eligible"] and not row["trouble"]}
    return sorted(by_device.values(), key=lambda row: row["platform"] == "windows")


def new_command(row: dict[str, Any], kind: str = "pcap", options: Mapping[str, Option] | None = None) -> NewCommand:
    return NewCommand(row["device_id"], kind, row["person_email"], row["registration_id"], options or {})


def check(validator: Validator, recorder: Recorder, count: int) -> None:
    assert len(recorder.exchanges) == count
    for exchange in recorder.exchanges:
        assert exchange.status in {200, 206}
        validator.check_request(exchange)


@pytest.mark.parametrize(("kind", "options"), OPTIONS)
def test_each_kind_with_each_of_its_options_matches(
    kind: str,
    options: Mapping[str, Option],
    client: Client,
    recorder: Recorder,
    validator: Validator,
    reliable_rows: list[dict[str, Any]],
) -> None:
    client.create([new_command(reliable_rows[0], kind, options)])
    check(validator, recorder, 1)


def test_ten_devices_in_one_post_match(
    client: Client, recorder: Recorder, validator: Validator, reliable_rows: list[dict[str, Any]]
) -> None:
    created = client.create([new_command(row, "warp-diag") for row in reliable_rows[:10]])
    assert len(created.created) == 10
    check(validator, recorder, 1)


def test_command_without_a_registration_matches(
    client: Client, recorder: Recorder, validator: Validator, reliable_rows: list[dict[str, Any]]
) -> None:
    client.create([NewCommand(reliable_rows[0]["device_id"], "pcap", reliable_rows[0]["person_email"])])
    check(validator, recorder, 1)
    assert "registration_id" not in json.loads(recorder.exchanges[0].body)["commands"][0]


def test_every_filter_of_the_listing_matches(
    client: Client, recorder: Recorder, validator: Validator, reliable_rows: list[dict[str, Any]]
) -> None:
    now = datetime.now(UTC)
    filters: list[dict[str, Any]] = [{"kind": kind} for kind in ("pcap", "warp-diag", "speed-test")]
    filters += [{"status": status} for status in ("PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS", "FAILED")]
    filters += [{}, {"from_": now - timedelta(hours=1), "to": now}, {"user_email": reliable_rows[0]["person_email"]}]
    filters.append({"device_id": reliable_rows[0]["device_id"], "kind": "pcap", "from_": now, "status": "SUCCESS"})
    for filter_ in filters:
        client.list_commands(1, **filter_)
    client.list_commands(7, 1)
    check(validator, recorder, len(filters) + 1)
    names = {name for exchange in recorder.exchanges for name, _ in exchange.query}
    assert names == {"page", "per_page", "from", "to", "device_id", "user_email", "command_type", "status"}


def test_devices_and_quota_match_with_a_token_and_with_a_key(
    client: Client, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    with urlopen(f"{simulator.control_url}/config", timeout=MAX_WAIT) as response:
        account = json.load(response)["accounts"][0]
    auth = KeyAuth(account["email"], account["api_key"])
    with Client(recorder.base_url, simulator.account_id, auth) as with_key:
        for client_ in (client, with_key):
            client_.list_devices(1)
            client_.list_devices(2, 10, "a name")
            client_.quota()
    check(validator, recorder, 6)


def test_full_and_partial_downloads_match(
    client: Client, recorder: Recorder, validator: Validator, reliable_rows: list[dict[str, Any]]
) -> None:
    (created,) = client.create([new_command(reliable_rows[0], "warp-diag")]).created
    row = wait_until_finished(client, created.id)
    recorder.exchanges.clear()
    with client.download(row.id, row.filename) as file:
        whole, etag, total = b"".join(file.chunks()), file.etag, file.total
    with client.download(row.id, row.filename, offset=1000, etag=etag, total=total) as file:
        rest = b"".join(file.chunks())
    assert rest == whole[1000:]
    check(validator, recorder, 2)
    assert [exchange.status for exchange in recorder.exchanges] == [200, 206]


def wait_until_finished(client: Client, command_id: str) -> ListedCommand:
    def look() -> ListedCommand | None:
        row = next(row for row in client.list_commands(1).rows if row.id == command_id)
        return row if row.status == "SUCCESS" else None

    return eventually(look)


def test_older_dialect_does_not_match(
    client: Client,
    recorder: Recorder,
    validator: Validator,
    simulator: SimulatorProcess,
    reliable_rows: list[dict[str, Any]],
) -> None:
    auth = TokenAuth(simulator.token)
    with Client(recorder.base_url, simulator.account_id, auth, dialect=Dialect.LEGACY) as older:
        older.create([new_command(reliable_rows[0])])
    with pytest.raises(OpenAPIError):
        validator.check_request(recorder.exchanges[0])
