"""Asking for a run through the desk's form, on devices that the simulator lists."""

import json
from typing import Any
from urllib.request import Request, urlopen

import requests

from tests.services.production.browser import Fields, Person, form_with
from tests.simulator_process import SimulatorProcess

type Device = dict[str, Any]


def devices_of(simulator: SimulatorProcess, count: int) -> list[Device]:
    """Machines of one person each that take commands."""
    address = f"{simulator.base_url}/accounts/{simulator.account_id}/dex/commands/devices?page=1&per_page=50"
    with urlopen(Request(address, headers={"Authorization": f"Bearer {simulator.token}"}), timeout=30) as answer:
        rows: list[Device] = json.load(answer)["result"]["devices"]
    machines = [row["deviceId"] for row in rows]
    fit = [row for row in rows if row.get("eligible") and machines.count(row["deviceId"]) == 1]
    return fit[:count]


def ask(person: Person, devices: list[Device]) -> requests.Response:
    """A packet capture on each; the answer to the click on Run."""
    return person.post("/", filled_in(person, devices))


def filled_in(person: Person, devices: list[Device]) -> Fields:
    """The desk's form, ready for the click."""
    lines = "\n".join(f"{device['deviceId']}, {device['personEmail']}" for device in devices)
    asked = {"kinds": ["pcap"], "targets": [lines], "ticket": ["INC-1"], "reason": ["Drops calls"]}
    return form_with(person.get("/").text, "key") | asked
