"""Tests that need the simulator's ledger: each command is in it exactly once, as the client sent it."""

import json
from dataclasses import replace
from typing import Any
from urllib.request import urlopen

import pytest
from cloudflare import BadRequestError, Cloudflare

from commands.cloudflare.auth import KeyAuth
from commands.cloudflare.client import Client
from commands.cloudflare.errors import Rejected
from tests.contract.clients import CLIENTS, Filters, Options, Portal, Row, Sdk
from tests.contract.upstream import Target, Upstream
from tests.polling import MAX_WAIT, eventually
from tests.simulator_process import SimulatorProcess

KINDS: list[tuple[str, Options]] = [
    ("pcap", {"time-limit-min": 2, "max-file-size-mb": 7, "packet-size-bytes": 200}),
    ("pcap", {}),
    ("warp-diag", {"test-all-routes": False}),
    ("warp-diag", {}),
    ("speed-test", {"interfaces": ["default", "tunnel"]}),
    ("speed-test", {}),
]


def ledger(simulator: SimulatorProcess) -> dict[str, list[dict[str, Any]]]:
    with urlopen(f"{simulator.control_url}/ledger", timeout=MAX_WAIT) as response:
        content: dict[str, list[dict[str, Any]]] = json.load(response)
    return content


@pytest.mark.parametrize("name", list(CLIENTS))
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_created_command_is_in_the_ledger_once_and_as_sent(
    name: str, kind: str, options: Options, simulated: Upstream, simulator: SimulatorProcess
) -> None:
    target = simulated.target
    assert target
    command_id = CLIENTS[name](simulated).create(target, kind, options)
    entries = ledger(simulator)
    (command,) = [row for row in entries["commands"] if row["id"] == command_id]
    assert (command["kind"], command["device_id"]) == (kind, target.device_id)
    assert (command["user_email"], command["registration_id"]) == (target.user_email, target.registration_id)
    assert command["args"] == options
    assert command["foreign"] is False
    (post,) = [row for row in entries["posts"] if command_id in row["command_ids"]]
    assert post["command_ids"] == [command_id]
    assert post["items"][0]["type"] == kind
    assert (post["status_code"], post["answered"]) == (200, True)


def test_sdk_reads_the_options_of_a_created_command(simulated: Upstream) -> None:
    assert simulated.target
    response = Sdk(simulated).create_response(simulated.target, "pcap", {"time-limit-min": 3})
    assert response.commands
    assert response.commands[0].args == {"time-limit-min": "3"}
    assert response.commands[0].status == "PENDING_EXEC"
    assert response.commands[0].registration_id == simulated.target.registration_id


def test_rejected_command_is_not_in_the_ledger_and_clients_get_the_same_code(
    simulated: Upstream, simulator: SimulatorProcess
) -> None:
    assert simulated.target
    unknown = Target("11111111-1111-4111-8111-111111111111", simulated.target.user_email)
    with pytest.raises(BadRequestError) as sdk_error:
        Sdk(simulated).create(unknown, "pcap", {})
    with pytest.raises(Rejected) as portal_error:
        Portal(simulated).create(unknown, "pcap", {})
    assert sdk_error.value.errors[0].code == portal_error.value.code
    assert unknown.device_id not in {row["device_id"] for row in ledger(simulator)["commands"]}


def test_email_and_key_authenticate_for_the_same_account(simulated: Upstream, simulator: SimulatorProcess) -> None:
    with urlopen(f"{simulator.control_url}/config", timeout=MAX_WAIT) as response:
        account = json.load(response)["accounts"][0]
    email, key = account["email"], account["api_key"]
    sdk = Cloudflare(api_email=email, api_key=key, base_url=simulated.base_url, max_retries=0)
    quota = sdk.zero_trust.dex.commands.quota.get(account_id=simulated.account_id)
    assert quota
    portal_quota = Client(simulated.base_url, simulated.account_id, KeyAuth(email, key)).quota()
    assert portal_quota.total == quota.quota


def test_portal_can_use_the_unpublished_addresses(simulated: Upstream) -> None:
    portal, target = Portal(simulated), simulated.target
    assert target
    command_id = portal.create(target, "warp-diag", {})

    def finished_row() -> Row | None:
        rows = portal.list_commands(Filters(device_id=target.device_id, status="SUCCESS"))
        return next((row for row in rows if row.id == command_id), None)

    row = eventually(finished_row, within=simulated.patience, pause=simulated.pause)
    analysis = portal.client.analysis(command_id)
    assert isinstance(analysis, dict)
    assert analysis["detections"] == []
    with portal.client.download(command_id, "not-its-name.zip", device_id=target.device_id) as file:
        assert b"".join(file.chunks()) == portal.download(command_id, row.filename)


def test_token_gives_no_access_to_another_account(simulated: Upstream) -> None:
    other_account = replace(simulated, account_id="f" * 32)
    statuses = []
    for build_client in CLIENTS.values():
        with pytest.raises(Exception, match=r"(?i)authentication|403") as error:
            build_client(other_account).quota()
        statuses.append(getattr(error.value, "status_code", None) or getattr(error.value, "status", None))
    assert statuses == [403, 403, 403]
