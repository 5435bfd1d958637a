"""What only the simulator can show: each command exactly once in its ledger, as it was sent, whoever sent it."""

import json
from dataclasses import replace
from typing import Any
from urllib.request import urlopen

import pytest
from cloudflare import BadRequestError, Cloudflare

from commands.cloudflare.auth import KeyAuth
from commands.cloudflare.client import Client
from commands.cloudflare.errors import Rejected
from tests.contract.clients import SPEAKERS, Filters, Options, Portal, Row, Sdk
from tests.contract.upstream import Target, Upstream
from tests.polling import eventually
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
    with urlopen(f"{simulator.control_url}/ledger", timeout=30) as answer:
        found: dict[str, list[dict[str, Any]]] = json.load(answer)
    return found


@pytest.mark.parametrize("name", list(SPEAKERS))
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_the_ledger_has_what_was_created_once_and_as_it_was_sent(
    name: str, kind: str, options: Options, simulated: Upstream, simulator: SimulatorProcess
) -> None:
    target = simulated.target
    assert target
    made = SPEAKERS[name](simulated).create(target, kind, options)
    found = ledger(simulator)
    (command,) = [row for row in found["commands"] if row["id"] == made]
    assert (command["kind"], command["device_id"]) == (kind, target.device_id)
    assert (command["user_email"], command["registration_id"]) == (target.user_email, target.registration_id)
    assert command["args"] == options
    assert command["foreign"] is False
    (post,) = [row for row in found["posts"] if made in row["command_ids"]]
    assert post["command_ids"] == [made]
    assert post["items"][0]["type"] == kind
    assert (post["status_code"], post["answered"]) == (200, True)


def test_the_sdk_gets_the_options_back_in_its_published_type(simulated: Upstream) -> None:
    assert simulated.target
    answer = Sdk(simulated).created(simulated.target, "pcap", {"time-limit-min": 3})
    assert answer.commands
    assert answer.commands[0].args == {"time-limit-min": "3"}
    assert answer.commands[0].status == "PENDING_EXEC"
    assert answer.commands[0].registration_id == simulated.target.registration_id


def test_a_refused_command_is_in_no_ledger_and_every_way_tells_why(
    simulated: Upstream, simulator: SimulatorProcess
) -> None:
    assert simulated.target
    stranger = Target("11111111-1111-4111-8111-111111111111", simulated.target.user_email)
    with pytest.raises(BadRequestError) as told_sdk:
        Sdk(simulated).create(stranger, "pcap", {})
    with pytest.raises(Rejected) as told_portal:
        Portal(simulated).create(stranger, "pcap", {})
    assert told_sdk.value.errors[0].code == told_portal.value.code
    assert stranger.device_id not in {row["device_id"] for row in ledger(simulator)["commands"]}


def test_an_email_and_a_key_open_the_same_account(simulated: Upstream, simulator: SimulatorProcess) -> None:
    with urlopen(f"{simulator.control_url}/config", timeout=30) as answer:
        account = json.load(answer)["accounts"][0]
    email, key = account["email"], account["api_key"]
    sdk = Cloudflare(api_email=email, api_key=key, base_url=simulated.base_url, max_retries=0)
    quota = sdk.zero_trust.dex.commands.quota.get(account_id=simulated.account_id)
    assert quota
    own = Client(simulated.base_url, simulated.account_id, KeyAuth(email, key)).quota()
    assert own.total == quota.quota


def test_the_unpublished_addresses_answer_the_portal(simulated: Upstream) -> None:
    portal, target = Portal(simulated), simulated.target
    assert target
    made = portal.create(target, "warp-diag", {})

    def done() -> Row | None:
        rows = portal.listed(Filters(device_id=target.device_id, status="SUCCESS"))
        return next((row for row in rows if row.id == made), None)

    row = eventually(done, within=simulated.patience, pause=simulated.pause)
    found = portal.client.analysis(made)
    assert isinstance(found, dict)
    assert found["detections"] == []
    with portal.client.download(made, "not-its-name.zip", device_id=target.device_id) as file:
        assert b"".join(file.chunks()) == portal.download(made, row.filename)


def test_another_account_is_not_open_to_the_token(simulated: Upstream) -> None:
    elsewhere = replace(simulated, account_id="f" * 32)
    statuses = []
    for speaker in SPEAKERS.values():
        with pytest.raises(Exception, match=r"(?i)authentication|403") as told:
            speaker(elsewhere).quota()
        statuses.append(getattr(told.value, "status_code", None) or getattr(told.value, "status", None))
    assert statuses == [403, 403, 403]
