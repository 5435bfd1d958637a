"""Every answer that the simulator gives, right or wrong, is one that Cloudflare's document allows.

The document knows no 206 and neither of the two unpublished addresses: of those it says nothing.
"""

import json
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from openapi_core.exceptions import OpenAPIError

from tests.contract.clients import Plain
from tests.polling import eventually
from tests.services.document import MENDS, Judge, Mend, mended, read
from tests.services.recorder import Exchange, Recorder
from tests.simulator_process import SimulatorProcess

NOBODY = "00000000-0000-4000-8000-000000000000"
PAGED = {"page": "1", "per_page": "50"}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(mended(read()))


def control(simulator: SimulatorProcess, path: str, change: object = None) -> Any:
    body = json.dumps(change).encode() if change is not None else None
    request = Request(f"{simulator.control_url}/{path}", body, method="PUT" if body else "GET")
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def rows(simulator: SimulatorProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = control(simulator, "world")["devices"]
    return found


def item(row: dict[str, Any], **more: object) -> dict[str, object]:
    named = {"device_id": row["device_id"], "user_email": row["person_email"]}
    return {**named, "registration_id": row["registration_id"], **more}


def steady(simulator: SimulatorProcess) -> dict[str, Any]:
    well = [row for row in rows(simulator) if row["online"] and row["eligible"] and not row["trouble"]]
    return next(row for row in well if row["platform"] == "mac")


def check(judge: Judge, recorder: Recorder, statuses: Sequence[int]) -> None:
    assert [exchange.status for exchange in recorder.exchanges] == list(statuses)
    for exchange in recorder.exchanges:
        judge.check_answer(exchange)


def refused(plain: Plain, path: str = "", body: object = None, **query: str) -> int:
    with pytest.raises(HTTPError) as told:
        plain.request(path, body, **query)
    with told.value:
        return told.value.code


@pytest.mark.parametrize("kind_and_args", [("type", "args"), ("command_type", "command_args")])
def test_created_commands_fit_in_both_dialects(
    kind_and_args: tuple[str, str], plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    kind, args = kind_and_args
    row = steady(simulator)
    options = {"time-limit-min": 1, "packet-size-bytes": 99}
    plain.request(body={"commands": [item(row, **{kind: "pcap", args: options})]})
    plain.request(body={"commands": [item(row, **{kind: "warp-diag", args: {"test-all-routes": True}})]})
    plain.request(body={"commands": [item(row, **{kind: "pcap"}), item(row, **{kind: "warp-diag"})]})
    if kind == "type":
        plain.request(body={"commands": [item(row, type="speed-test", args={"interfaces": ["tunnel"]})]})
    check(judge, recorder, [200] * len(recorder.exchanges))


def test_listings_fit_with_open_and_ended_commands(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    away = [row for row in rows(simulator) if row["eligible"] and not row["online"]]
    wanted = [item(row, type="pcap") for row in [steady(simulator), *away][:10]]
    made = plain.result(body={"commands": wanted})["commands"]
    assert ended(plain, made[0]["id"])["status"] == "SUCCESS"
    plain.request(**PAGED)
    plain.request(page="9", per_page="1")
    plain.request("/devices", **PAGED)
    plain.request("/devices", **PAGED, search=str(wanted[0]["user_email"]))
    plain.request("/devices", **PAGED, search="nobody at all")
    plain.request("/quota")
    plain.request(f"/{made[0]['id']}/downloads/{made[0]['id']}.zip")
    check(judge, recorder, [200] * len(recorder.exchanges))
    seen = {row["status"] for exchange in recorder.exchanges for row in _commands(exchange.answer)}
    assert {"SUCCESS", "PENDING_EXEC"} <= seen


def ended(plain: Plain, command_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: list[dict[str, Any]] = plain.result(**PAGED)["commands"]
        row = next(row for row in found if row["id"] == command_id)
        return row if row["status"] in {"SUCCESS", "FAILED"} else None

    return eventually(look, within=30)


def _commands(answer: bytes) -> list[dict[str, Any]]:
    if not answer.startswith(b"{"):
        return []
    found: list[dict[str, Any]] = json.loads(answer)["result"].get("commands", [])
    return found


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic abc"}, 400),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"X-Auth-Email": "nobody@example.com", "X-Auth-Key": "wrong"}, 401),
    ],
)
def test_refused_callers_get_an_answer_that_fits(
    headers: dict[str, str], status: int, plain: Plain, recorder: Recorder, judge: Judge
) -> None:
    plain.headers = headers
    assert refused(plain, "/quota") == status
    assert refused(plain, **PAGED) == status
    assert refused(plain, body={"commands": []}) == status
    check(judge, recorder, [status] * 3)


def test_another_account_gets_an_answer_that_fits(plain: Plain, recorder: Recorder, judge: Judge) -> None:
    plain.address = plain.address.replace("/accounts/0123", "/accounts/ffff")
    assert refused(plain, "/devices", **PAGED) == 403
    check(judge, recorder, [403])


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
def test_wrong_questions_get_an_answer_that_fits(
    query: dict[str, str], plain: Plain, recorder: Recorder, judge: Judge
) -> None:
    assert refused(plain, **query) == 400
    check(judge, recorder, [400])


def test_wrong_orders_get_an_answer_that_fits(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    known = rows(simulator)
    row = steady(simulator)
    old = next(row for row in known if not row["eligible"])
    ids = [row["device_id"] for row in known]
    shared = next(row for row in known if ids.count(row["device_id"]) > 1)
    nameless = item(shared, type="pcap")
    del nameless["registration_id"]
    orders: list[list[object]] = [
        [],
        ["a word"],
        [item(row)],
        [item(row, type="dance")],
        [item(row, type="pcap", args={"time-limit-min": 0})],
        [item(row, type="pcap", args={"time-limit-min": 11})],
        [item(row, type="warp-diag", args={"dance": True})],
        [item({**row, "device_id": NOBODY}, type="pcap")],
        [item({**row, "person_email": "nobody@example.com"}, type="pcap")],
        [item(old, type="pcap")],
        [nameless],
        [item(row, type="pcap") for _ in range(21)],
        [item({**row, "device_id": f"device {number}"}, type="pcap") for number in range(11)],
    ]
    for order in orders:
        assert refused(plain, body={"commands": order}) == 400
    assert refused(plain, body={"orders": []}) == 400
    check(judge, recorder, [400] * (len(orders) + 1))
    assert control(simulator, "ledger")["commands"] == []


def test_missing_files_and_wrong_ranges_get_an_answer_that_fits(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    made = plain.result(body={"commands": [item(steady(simulator), type="warp-diag")]})["commands"][0]["id"]
    assert refused(plain, f"/{NOBODY}/downloads/{NOBODY}.zip") == 404
    assert ended(plain, made)["filename"]
    assert refused(plain, f"/{made}/downloads/other.zip") == 404
    plain.headers = plain.headers | {"Range": "bytes=999999999-"}
    assert refused(plain, f"/{made}/downloads/{made}.zip") == 416
    wrong = [exchange for exchange in recorder.exchanges if exchange.status != 200]
    assert [exchange.status for exchange in wrong] == [404, 404, 416]
    for exchange in wrong:
        judge.check_answer(exchange)


def test_a_used_up_quota_gets_an_answer_that_fits(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    (account,) = control(simulator, "config")["accounts"]
    control(simulator, "config", {"accounts": [account | {"quota": 0}]})
    assert refused(plain, body={"commands": [item(steady(simulator), type="pcap")]}) == 400
    check(judge, recorder, [400])


def test_too_many_calls_get_an_answer_that_fits(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    control(simulator, "config", {"rate_limit": 2, "rate_window": 600_000})
    plain.request("/quota")
    plain.request("/quota")
    assert refused(plain, "/quota") == 429
    check(judge, recorder, [200, 200, 429])
    assert int(recorder.exchanges[-1].answer_headers["Retry-After"]) > 0


def test_a_token_that_may_only_read_gets_an_answer_that_fits(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    (account,) = control(simulator, "config")["accounts"]
    control(simulator, "config", {"accounts": [account | {"permissions": ["Zero Trust Read"]}]})
    plain.request("/quota")
    assert refused(plain, body={"commands": [item(steady(simulator), type="pcap")]}) == 403
    check(judge, recorder, [200, 403])


def test_an_answer_of_another_form_would_be_found_out(
    plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    control(simulator, "faults", {"rules": [{"match": {}, "effect": {"kind": "success_false"}}]})
    plain.request("/quota")
    with pytest.raises(OpenAPIError):
        judge.check_answer(recorder.exchanges[0])


@pytest.mark.parametrize("left_out", MENDS, ids=lambda mend: mend.__name__.strip("_"))
def test_without_any_one_mend_the_document_would_refuse_what_is_right(
    left_out: Mend, plain: Plain, recorder: Recorder, judge: Judge, simulator: SimulatorProcess
) -> None:
    made = plain.result(body={"commands": [item(steady(simulator), type="warp-diag")]})["commands"][0]["id"]
    assert ended(plain, made)["filename"]
    plain.request(f"/{made}/downloads/{made}.zip")
    harsh = Judge(mended(read(), [mend for mend in MENDS if mend is not left_out]))
    assert all(fits(judge, exchange) for exchange in recorder.exchanges)
    assert not all(fits(harsh, exchange) for exchange in recorder.exchanges)


def fits(judge: Judge, exchange: Exchange) -> bool:
    try:
        judge.check_request(exchange)
        judge.check_answer(exchange)
    except OpenAPIError:
        return False
    return True
