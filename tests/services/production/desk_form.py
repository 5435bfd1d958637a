"""Runs submitted through the desk's form, on devices that the simulator lists."""

import json
from typing import Any
from urllib.request import Request, urlopen

import requests

from tests.polling import MAX_WAIT
from tests.services.production.user_session import Fields, UserSession, find_form
from tests.simulator_process import SimulatorProcess

type Device = dict[str, Any]


def find_devices(simulator: SimulatorProcess, count: int) -> list[Device]:
    """Find eligible devices with a single registration that stay connected and have no simulated trouble."""
    world = _json(f"{simulator.control_url}/world", simulator)
    reliable = {
        device["device_id"] for device in world["devices"] if not device["presence"]["period"] and not device["trouble"]
    }
    address = f"{simulator.base_url}/accounts/{simulator.account_id}/dex/commands/devices?page=1&per_page=50"
    rows: list[Device] = _json(address, simulator)["result"]["devices"]
    device_ids = [row["deviceId"] for row in rows]
    eligible = [row for row in rows if row["deviceId"] in reliable and row.get("eligible")]
    suitable = [row for row in eligible if row["status"] == "connected" and device_ids.count(row["deviceId"]) == 1]
    assert len(suitable) >= count
    return suitable[:count]


def _json(address: str, simulator: SimulatorProcess) -> Any:
    with urlopen(
        Request(address, headers={"Authorization": f"Bearer {simulator.token}"}), timeout=MAX_WAIT
    ) as response:
        return json.load(response)


def submit_run(person: UserSession, devices: list[Device], kind: str = "pcap") -> requests.Response:
    """Submit a run on these devices, and return the response."""
    return person.post("/", fill_in_form(person, devices, kind))


def fill_in_form(person: UserSession, devices: list[Device], kind: str = "pcap") -> Fields:
    """Return the desk's form, ready to be submitted."""
    lines = "\n".join(f"{device['deviceId']}, {device['personEmail']}" for device in devices)
    values = {"kinds": [kind], "targets": [lines], "ticket": ["INC-1"], "reason": ["Drops calls"]}
    return find_form(person.get("/").text, "key") | values
