"""Every response of the simulator, also to wrong requests, matches Cloudflare's OpenAPI document.

The document does not describe 206 and the two unpublished addresses, so that their responses are not checked.
"""

import json
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from openapi_core.exceptions import OpenAPIError

from tests.contract.clients import Plain
from tests.polling import MAX_WAIT, eventually
from tests.services.openapi_document import CORRECTIONS, Correction, Validator, corrected, read
from tests.services.recorder import Exchange, Recorder
from tests.simulator_process import SimulatorProcess

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
PAGED = {"page": "1", "per_page": "50"}


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(corrected(read()))


def control(simulator: SimulatorProcess, path: str, change: object = None) -> Any:
    body = json.dumps(change).encode() if change is not None else None
    request = Request(f"{simulator.control_url}/{path}", body, method="PUT" if body else "GET")
    with urlopen(request, timeout=MAX_WAIT) as response:
        return json.load(response)


def rows(simulator: SimulatorProcess) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = control(simulator, "world")["devices"]
    return devices


def command_item(row: dict[str, Any], **values: object) -> dict[str, object]:
    named = {"device_id": row["device_id"], "user_email": row["person_email"]}
    return {**named, "registration_id": row["registration_id"], **values}


def reliable_row(simulator: SimulatorProcess) -> dict[str, Any]:
    reliable = [row for row in rows(simulator) if row["online"] and row["eligible"] and not row["trouble"]]
    return next(row for row in reliable if row["platform"] == "mac")


def check(validator: Validator, recorder: Recorder, statuses: Sequence[int]) -> None:
    assert [exchange.status for exchange in recorder.exchanges] == list(statuses)
    for exchange in recorder.exchanges:
        validator.check_response(exchange)


def error_status(plain: Plain, path: str = "", body: object = None, **query: str) -> int:
    with pytest.raises(HTTPError) as error:
        plain.request(path, body, **query)
    with error.value:
        return error.value.code


@pytest.mark.parametrize("kind_and_args", [("type", "args"), ("command_type", "command_args")])
def test_create_responses_match_in_both_dialects(
    kind_and_args: tuple[str, str], plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    kind, args = kind_and_args
    row = reliable_row(simulator)
    options = {"time-limit-min": 1, "packet-size-bytes": 99}
    plain.request(body={"commands": [command_item(row, **{kind: "pcap", args: options})]})
    plain.request(body={"commands": [command_item(row, **{kind: "warp-diag", args: {"test-all-routes": True}})]})
    plain.request(body={"commands": [command_item(row, **{kind: "pcap"}), command_item(row, **{kind: "warp-diag"})]})
    if kind == "type":
        plain.request(body={"commands": [command_item(row, type="speed-test", args={"interfaces": ["tunnel"]})]})
    check(validator, recorder, [200] * len(recorder.exchanges))


def test_listings_of_open_and_ended_commands_match(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    offline = [row for row in rows(simulator) if row["eligible"] and not row["online"]]
    items = [command_item(row, type="pcap") for row in [reliable_row(simulator), *offline][:10]]
    created = plain.result(body={"commands": items})["commands"]
    assert wait_until_ended(plain, created[0]["id"])["status"] == "SUCCESS"
    plain.request(**PAGED)
    plain.request(page="9", per_page="1")
    plain.request("/devices", **PAGED)
    plain.request("/devices", **PAGED, search=str(items[0]["user_email"]))
    plain.request("/devices", **PAGED, search="nobody at all")
    plain.request("/quota")
    plain.request(f"/{created[0]['id']}/downloads/{created[0]['id']}.zip")
    check(validator, recorder, [200] * len(recorder.exchanges))
    seen = {row["status"] for exchange in recorder.exchanges for row in _commands(exchange.response)}
    assert {"SUCCESS", "PENDING_EXEC"} <= seen


def wait_until_ended(plain: Plain, command_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        commands: list[dict[str, Any]] = plain.result(**PAGED)["commands"]
        row = next(row for row in commands if row["id"] == command_id)
        return row if row["status"] in {"SUCCESS", "FAILED"} else None

    return eventually(look)


def _commands(body: bytes) -> list[dict[str, Any]]:
    if not body.startswith(b"{"):
        return []
    commands: list[dict[str, Any]] = json.loads(body)["result"].get("commands", [])
    return commands


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic abc"}, 400),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"X-Auth-Email": "nobody@example.com", "X-Auth-Key": "wrong"}, 401),
    ],
)
def test_responses_to_wrong_credentials_match(
    headers: dict[str, str], status: int, plain: Plain, recorder: Recorder, validator: Validator
) -> None:
    plain.headers = headers
    assert error_status(plain, "/quota") == status
    assert error_status(plain, **PAGED) == status
    assert error_status(plain, body={"commands": []}) == status
    check(validator, recorder, [status] * 3)


def test_response_for_another_account_matches(plain: Plain, recorder: Recorder, validator: Validator) -> None:
    plain.address = plain.address.replace("/accounts/0123", "/accounts/ffff")
    assert error_status(plain, "/devices", **PAGED) == 403
    check(validator, recorder, [403])


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"page": "1"},
        {"page": "0", "per_page": "10"},
        {"page": "1", "per_page": "51"},
        {"page": "one", "per_page": "10"},
        PAGED | {"from": "yesterday"},
        PAGED | {"to": "2026-11-22T10:00:00"},
        PAGED | {"command_type": "dance"},
        PAGED | {"status": "DANCING"},
    ],
)
def test_responses_to_invalid_queries_match(
    query: dict[str, str], plain: Plain, recorder: Recorder, validator: Validator
) -> None:
    assert error_status(plain, **query) == 400
    check(validator, recorder, [400])


def test_responses_to_invalid_commands_match(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    known = rows(simulator)
    row = reliable_row(simulator)
    old = next(row for row in known if not row["eligible"])
    ids = [row["device_id"] for row in known]
    shared = next(row for row in known if ids.count(row["device_id"]) > 1)
    without_registration = command_item(shared, type="pcap")
    del without_registration["registration_id"]
    orders: list[list[object]] = [
        [],
        ["a word"],
        [command_item(row)],
        [command_item(row, type="dance")],
        [command_item(row, type="pcap", args={"time-limit-min": 0})],
        [command_item(row, type="pcap", args={"time-limit-min": 11})],
        [command_item(row, type="warp-diag", args={"dance": True})],
        [command_item({**row, "device_id": UNKNOWN_ID}, type="pcap")],
        [command_item({**row, "person_email": "nobody@example.com"}, type="pcap")],
        [command_item(old, type="pcap")],
        [without_registration],
        [command_item(row, type="pcap") for _ in range(21)],
        [command_item({**row, "device_id": f"device {number}"}, type="pcap") for number in range(11)],
    ]
    for order in orders:
        assert error_status(plain, body={"commands": order}) == 400
    assert error_status(plain, body={"orders": []}) == 400
    check(validator, recorder, [400] * (len(orders) + 1))
    assert control(simulator, "ledger")["commands"] == []


def test_responses_for_missing_files_and_invalid_ranges_match(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    diag = command_item(reliable_row(simulator), type="warp-diag")
    command_id = plain.result(body={"commands": [diag]})["commands"][0]["id"]
    assert error_status(plain, f"/{UNKNOWN_ID}/downloads/{UNKNOWN_ID}.zip") == 404
    assert wait_until_ended(plain, command_id)["filename"]
    assert error_status(plain, f"/{command_id}/downloads/other.zip") == 404
    plain.headers = plain.headers | {"Range": "bytes=999999999-"}
    assert error_status(plain, f"/{command_id}/downloads/{command_id}.zip") == 416
    wrong = [exchange for exchange in recorder.exchanges if exchange.status != 200]
    assert [exchange.status for exchange in wrong] == [404, 404, 416]
    for exchange in wrong:
        validator.check_response(exchange)


def test_response_for_an_exhausted_quota_matches(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    (account,) = control(simulator, "config")["accounts"]
    control(simulator, "config", {"accounts": [account | {"quota": 0}]})
    assert error_status(plain, body={"commands": [command_item(reliable_row(simulator), type="pcap")]}) == 400
    check(validator, recorder, [400])


def test_response_to_too_many_calls_matches(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    control(simulator, "config", {"rate_limit": 2, "rate_window": 600_000})
    plain.request("/quota")
    plain.request("/quota")
    assert error_status(plain, "/quota") == 429
    check(validator, recorder, [200, 200, 429])
    assert int(recorder.exchanges[-1].response_headers["Retry-After"]) > 0


def test_response_to_a_read_only_token_matches(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    (account,) = control(simulator, "config")["accounts"]
    control(simulator, "config", {"accounts": [account | {"permissions": ["Zero Trust Read"]}]})
    plain.request("/quota")
    assert error_status(plain, body={"commands": [command_item(reliable_row(simulator), type="pcap")]}) == 403
    check(validator, recorder, [200, 403])


def test_invalid_response_is_detected(
    plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    control(simulator, "faults", {"rules": [{"match": {}, "effect": {"kind": "success_false"}}]})
    plain.request("/quota")
    with pytest.raises(OpenAPIError):
        validator.check_response(recorder.exchanges[0])


@pytest.mark.parametrize("skipped", CORRECTIONS, ids=lambda correction: correction.__name__.strip("_"))
def test_each_correction_of_the_document_is_needed(
    skipped: Correction, plain: Plain, recorder: Recorder, validator: Validator, simulator: SimulatorProcess
) -> None:
    diag = command_item(reliable_row(simulator), type="warp-diag")
    command_id = plain.result(body={"commands": [diag]})["commands"][0]["id"]
    assert wait_until_ended(plain, command_id)["filename"]
    plain.request(f"/{command_id}/downloads/{command_id}.zip")
    stricter = Validator(corrected(read(), [correction for correction in CORRECTIONS if correction is not skipped]))
    assert all(is_valid(validator, exchange) for exchange in recorder.exchanges)
    assert not all(is_valid(stricter, exchange) for exchange in recorder.exchanges)


def is_valid(validator: Validator, exchange: Exchange) -> bool:
    try:
        validator.check_request(exchange)
        validator.check_response(exchange)
    except OpenAPIError:
        return False
    return True
