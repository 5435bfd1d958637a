"""Time to send the commands of a run on 1000 devices, with two POSTs in flight.

Floor: bare `requests` sending the same 100 POSTs one after another. Cloudflare takes 50 ms for each POST in both cases.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import requests
from django.db import connection

from benchmarks.fixtures import PCAP, AccountSetup, account_setup, now
from benchmarks.results import ResultRow, milliseconds, result_row, result_row_by_ratio
from commands.actions.sending.deliver import deliver
from commands.models import Account, Command, Device
from commands.rules.kinds import Kind

DEVICES = 1000
DEVICES_A_POST = 10
LATENCY = 0.05  # seconds
IN_FLIGHT = 2
GOAL_RATIO = 1.2


def _send_with_requests(setup: AccountSetup) -> None:
    """Send the POSTs one after another, as the simplest script would."""
    url = setup.simulator.commands_url(setup.account.cloudflare_id)
    for first in range(0, len(setup.devices), DEVICES_A_POST):
        body = {"commands": [_item(device) for device in setup.devices[first : first + DEVICES_A_POST]]}
        response = requests.post(url, json=body, headers={"Authorization": f"Bearer {setup.token}"}, timeout=30)
        assert len(response.json()["result"]["commands"]) == len(body["commands"])


def _item(device: Device) -> dict[str, object]:
    return {
        "device_id": device.device_id,
        "registration_id": device.registration_id,
        "user_email": device.email,
        "type": "pcap",
        "args": PCAP[Kind.PCAP],
    }


def _deliver_all(account: Account) -> None:
    """Deliver POST after POST, as a worker's task does, until no command can be sent now."""
    try:
        while deliver(account, now=now()):
            account.refresh_from_db()
    finally:
        connection.close()


def _send_with_workers(setup: AccountSetup) -> None:
    accounts = [Account.objects.select_related("credential").get(id=setup.account.id) for _ in range(IN_FLIGHT)]
    with ThreadPoolExecutor(IN_FLIGHT) as workers:
        list(workers.map(_deliver_all, accounts))


def measure(devices: int = DEVICES, latency: float = LATENCY) -> list[ResultRow]:
    with account_setup(devices) as setup:
        setup.simulator.set_latency(latency, call="create")
        floors = [milliseconds(lambda: _send_with_requests(setup))]
        posts_before = setup.simulator.count_posts()
        commands = setup.submit(devices)
        duration = milliseconds(lambda: _send_with_workers(setup))
        posts = setup.simulator.count_posts() - posts_before
        floors.append(milliseconds(lambda: _send_with_requests(setup)))
        _check_sent(commands)
    fewest = -(-devices // DEVICES_A_POST)
    floor = sum(floors) / len(floors)  # measured before and after, because the load of the machine changes
    return [
        result_row_by_ratio(
            f"send: {devices} commands, {IN_FLIGHT} POSTs in flight", duration, "ms", floor=floor, goal=GOAL_RATIO
        ),
        result_row(f"send: POSTs for {devices} devices", posts, "", floor=fewest, goal=fewest),
    ]


def _check_sent(commands: Sequence[Command]) -> None:
    """Check that each command has its Cloudflare id.

    Do not check the status: some have failed, because the bare POSTs made their devices busy.
    """
    assert not Command.objects.filter(id__in=[command.id for command in commands], remote_id="").exists()
