"""How long does it take to send the commands of a run of 1000 devices, with two POSTs in flight?

The floor is bare `requests` doing the same 100 POSTs one after another. Cloudflare takes 50 ms for each, to both.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests
from django.db import connection

from benchmarks.company import PCAP, Company, company, now
from benchmarks.figures import Row, milliseconds, row, times_floor
from commands.actions.sending.deliver import deliver
from commands.models import Account, Command, Device
from commands.rules.kinds import Kind

DEVICES = 1000
DEVICES_A_POST = 10
LATENCY = 0.05  # seconds
IN_FLIGHT = 2
GOAL_RATIO = 1.2


def _bare(desk: Company) -> None:
    """What anybody would write: a list of POSTs, one after another."""
    url = desk.simulator.commands_url(desk.account.cloudflare_id)
    for first in range(0, len(desk.devices), DEVICES_A_POST):
        body = {"commands": [_item(device) for device in desk.devices[first : first + DEVICES_A_POST]]}
        answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {desk.token}"}, timeout=30)
        assert len(answer.json()["result"]["commands"]) == len(body["commands"])


def _item(device: Device) -> dict[str, object]:
    return {
        "device_id": device.device_id,
        "registration_id": device.registration_id,
        "user_email": device.email,
        "type": "pcap",
        "args": PCAP[Kind.PCAP],
    }


def _worker(account: Account) -> None:
    """What the task of a worker does: POST after POST until nothing may go now."""
    try:
        while deliver(account, now=now()):
            account.refresh_from_db()
    finally:
        connection.close()


def _all_sent(desk: Company) -> None:
    accounts = [Account.objects.select_related("credential").get(id=desk.account.id) for _ in range(IN_FLIGHT)]
    with ThreadPoolExecutor(IN_FLIGHT) as workers:
        list(workers.map(_worker, accounts))


def measure(devices: int = DEVICES, latency: float = LATENCY) -> list[Row]:
    with company(devices) as desk:
        desk.simulator.latency(latency, call="create")
        floors = [milliseconds(lambda: _bare(desk))]
        before = desk.simulator.posts()
        asked = desk.ask(devices)
        sent = milliseconds(lambda: _all_sent(desk))
        posts = desk.simulator.posts() - before
        floors.append(milliseconds(lambda: _bare(desk)))
        _check(asked)
    least = -(-devices // DEVICES_A_POST)
    floor = sum(floors) / len(floors)  # before and after: a machine is not equally busy all the time
    return [
        times_floor(f"send: {devices} commands, {IN_FLIGHT} POSTs in flight", sent, "ms", floor=floor, goal=GOAL_RATIO),
        row(f"send: POSTs for {devices} devices", posts, "", floor=least, goal=least),
    ]


def _check(asked: Sequence[Command]) -> None:
    """Each has its id. (Some have failed by now: the bare POSTs made their machine busy.)"""
    assert not Command.objects.filter(id__in=[one.id for one in asked], remote_id="").exists()
