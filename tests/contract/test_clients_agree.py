"""Agreement of the SDK, the portal's client and plain HTTP about one upstream, simulated or real."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.error import HTTPError

import pytest
from cloudflare import APIStatusError, NotFoundError

from commands.cloudflare.errors import NotFound, Refused
from tests.contract.clients import CLIENTS, ApiClient, Filters, Plain, Portal, Row, Sdk
from tests.contract.upstream import Target, Upstream
from tests.polling import eventually

WITH_EACH_CLIENT = pytest.mark.parametrize("name", list(CLIENTS))
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def find_row(client: ApiClient, command_id: str, target: Target) -> Row | None:
    rows = client.list_commands(Filters(device_id=target.device_id))
    return next((row for row in rows if row.id == command_id), None)


@WITH_EACH_CLIENT
def test_command_created_by_one_client_is_listed_by_all(
    name: str, clients: dict[str, ApiClient], upstream: Upstream, target: Target
) -> None:
    command_id = clients[name].create(target, "pcap", {"time-limit-min": 1})
    rows = [
        eventually(partial(find_row, client, command_id, target), within=upstream.patience, pause=upstream.pause)
        for client in clients.values()
    ]
    assert {(row.kind, row.device_id, row.user_email) for row in rows} == {
        ("pcap", target.device_id, target.user_email)
    }
    assert len({row.created_at.replace(microsecond=0) for row in rows}) == 1
    assert abs(rows[0].created_at - datetime.now(UTC)) < timedelta(minutes=15)


def test_all_clients_download_the_same_file(clients: dict[str, ApiClient], upstream: Upstream, target: Target) -> None:
    command_id = clients["portal"].create(target, "warp-diag", {"test-all-routes": False})

    def ended_row() -> Row | None:
        row = find_row(clients["plain"], command_id, target)
        return row if row and row.status in {"SUCCESS", "FAILED"} else None

    row = eventually(ended_row, within=upstream.patience, pause=upstream.pause)
    assert row.status == "SUCCESS"
    files = [client.download(command_id, row.filename) for client in clients.values()]
    assert files[0] == files[1] == files[2]
    with zipfile.ZipFile(io.BytesIO(files[0])) as archive:
        assert archive.testzip() is None
        assert "warp-status.txt" in archive.namelist()


def test_every_filter_limits_the_listing_of_every_client(clients: dict[str, ApiClient], target: Target) -> None:
    since = datetime.now(UTC) - timedelta(minutes=2)
    clients["plain"].create(target, "warp-diag", {})
    filters = Filters(
        device_id=target.device_id,
        user_email=target.user_email,
        kind="warp-diag",
        since=since,
        until=since + timedelta(hours=1),
    )
    for client in clients.values():
        rows = client.list_commands(filters)
        assert rows
        assert {row.kind for row in rows} == {"warp-diag"}
        assert client.list_commands(replace(filters, until=since)) == []
        assert client.list_commands(replace(filters, device_id=UNKNOWN_ID)) == []
        assert client.list_commands(replace(filters, user_email="nobody@example.com")) == []
        assert {row.status for row in client.list_commands(replace(filters, status="SUCCESS"))} <= {"SUCCESS"}
        assert len(client.list_commands(filters, per_page=1)) == 1


def test_all_clients_see_the_same_devices(clients: dict[str, ApiClient], upstream: Upstream) -> None:
    """Compare the clients until no device connects or disconnects between their calls."""

    def same_devices() -> set[tuple[str, str, str]] | None:
        devices = {name: client.devices() for name, client in clients.items()}
        return devices["sdk"] if devices["sdk"] == devices["portal"] == devices["plain"] else None

    assert eventually(same_devices, within=upstream.patience, pause=upstream.pause)


def test_search_by_email_finds_only_the_devices_of_that_person(clients: dict[str, ApiClient], target: Target) -> None:
    devices = {name: client.devices(target.user_email) for name, client in clients.items()}
    assert devices["sdk"] == devices["portal"] == devices["plain"]
    assert {email for _, _, email in devices["sdk"]} == {target.user_email}


def test_all_clients_read_the_same_quota(clients: dict[str, ApiClient]) -> None:
    total, used, reset_at = clients["sdk"].quota()
    assert 0 <= used <= total
    assert reset_at.tzinfo is not None
    for other in (clients["portal"].quota(), clients["plain"].quota()):
        assert other[0] == total
        assert abs(other[2] - reset_at) < timedelta(minutes=1)


def test_command_counts_in_the_quota(clients: dict[str, ApiClient], target: Target) -> None:
    """Check that the usage grows. On a real account the count may lag, but it must not fall before the reset."""
    before = clients["sdk"].quota()
    clients["sdk"].create(target, "speed-test", {"interfaces": ["default"]})
    after = clients["portal"].quota()
    assert after[1] >= before[1] or after[2] > before[2]


def test_wrong_token_is_rejected_for_all_clients(upstream: Upstream) -> None:
    wrong = replace(upstream, token="0" * 40)
    with pytest.raises(APIStatusError) as sdk_error:
        Sdk(wrong).quota()
    with pytest.raises(Refused) as portal_error:
        Portal(wrong).quota()
    with pytest.raises(HTTPError) as plain_error:
        Plain(wrong).quota()
    with plain_error.value:
        statuses = {sdk_error.value.status_code, portal_error.value.status, plain_error.value.code}
    assert len(statuses) == 1
    assert statuses <= {400, 401, 403}


def test_unknown_command_has_no_file(upstream: Upstream) -> None:
    with pytest.raises(NotFoundError):
        Sdk(upstream).download(UNKNOWN_ID, f"{UNKNOWN_ID}.zip")
    with pytest.raises(NotFound):
        Portal(upstream).download(UNKNOWN_ID, f"{UNKNOWN_ID}.zip")
    with pytest.raises(HTTPError) as error:
        Plain(upstream).download(UNKNOWN_ID, f"{UNKNOWN_ID}.zip")
    with error.value:
        assert error.value.code == 404
