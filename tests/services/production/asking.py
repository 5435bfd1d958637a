"""Asking for a run through the desk's form, on devices that the simulator lists."""

import json
from typing import Any
from urllib.request import Request, urlopen

import requests

from tests.services.production.browser import Fields, Person, form_with
from tests.simulator_process import SimulatorProcess

type Device = dict[str, Any]


def devices_of(simulator: SimulatorProcess, count: int) -> list[Device]:
    """Machines of one registration each that take commands, stay connected and have no trouble."""
    world = _json(f"{simulator.control_url}/world", simulator)
    steady = {one["device_id"] for one in world["devices"] if not one["presence"]["period"] and not one["trouble"]}
    address = f"{simulator.base_url}/accounts/{simulator.account_id}/dex/commands/devices?page=1&per_page=50"
    rows: list[Device] = _json(address, simulator)["result"]["devices"]
    machines = [row["deviceId"] for row in rows]
    fit = [row for row in rows if row["deviceId"] in steady and row.get("eligible")]
    found = [row for row in fit if row["status"] == "connected" and machines.count(row["deviceId"]) == 1]
    assert len(found) >= count
    return found[:count]


def _json(address: str, simulator: SimulatorProcess) -> Any:
    with urlopen(Request(address, headers={"Authorization": f"Bearer {simulator.token}"}), timeout=30) as answer:
        return json.load(answer)


def ask(person: Person, devices: list[Device], kind: str = "pcap") -> requests.Response:
    """One on each; the answer to the click on Run."""
    return person.post("/", filled_in(person, devices, kind))


def filled_in(person: Person, devices: list[Device], kind: str = "pcap") -> Fields:
    """The desk's form, ready for the click."""
    lines = "\n".join(f"{device['deviceId']}, {device['personEmail']}" for device in devices)
    asked = {"kinds": [kind], "targets": [lines], "ticket": ["INC-1"], "reason": ["Drops calls"]}
    return form_with(person.get("/").text, "key") | asked
