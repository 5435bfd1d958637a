"""Time of the plan for large pastes and large selections, on an account with 5000 devices.

Floor: the plan of one target. The goal is a second more than that, whatever was pasted.
"""

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.test import Client

from benchmarks.fixtures import AccountSetup, account_setup, option_fields
from benchmarks.results import ResultRow, median, milliseconds, result_row

DEVICES = 5000
ROUNDS = 3
ALLOWED_MS = 1000.0
FORM = "application/x-www-form-urlencoded"


def measure() -> list[ResultRow]:
    with account_setup(DEVICES) as setup:
        client = Client(SERVER_NAME="localhost")
        client.force_login(setup.person)
        floor = _median(client, setup, {"targets": setup.devices[0].device_id})
        return [
            result_row(
                f"paste: {name}", _median(client, setup, fields), "ms", floor=floor, goal=round(floor + ALLOWED_MS)
            )
            for name, fields in _pastes(setup).items()
        ]


def _pastes(setup: AccountSetup) -> Mapping[str, Mapping[str, object]]:
    most, size = settings.TARGETS_MAX, settings.PASTE_MAX_BYTES - 1000
    devices = setup.devices
    return {
        f"{most} device ids": {"targets": "\n".join(device.device_id for device in devices[:most])},
        f"{most} selected devices": {"device": [str(device.pk) for device in devices[:most]]},
        f"{most} lines that mean nothing": {"targets": "\n".join(f"nobody-{number}" for number in range(most))},
        "2 MB of short lines": {"targets": "x\n" * (size // 2)},
        "2 MB of commas": {"targets": "," * size},
        "2 MB of quotes": {"targets": '"' * size},
        "2 MB on one line": {"targets": "x" * size},
        "2 MB of an address": {"targets": "a@" + "b." * (size // 2 - 2)},
        "2 MB of umlauts": {"targets": "ü" * (size // 2)},
        "more than 2 MB": {"targets": "x\n" * (size // 2 + 2000)},
    }


def _median(client: Client, setup: AccountSetup, fields: Mapping[str, object]) -> float:
    common = {"account": str(setup.account.id), "key": str(uuid4()), "kinds": "pcap", "ticket": "HD-1"}
    body = urlencode({**common, **option_fields(), **fields}, doseq=True)

    def plan() -> None:
        response = client.post("/ask/plan", body, content_type=FORM, headers={"HX-Request": "true"})
        assert response.status_code == 200, response.content[:500]

    return median([milliseconds(plan) for _ in range(ROUNDS + 1)][1:])
