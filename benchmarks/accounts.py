"""Time between syncs of an account, for 100 accounts with 50 open commands each, with one `talk` process.

Beat, a worker and Redis are real. Floor: the configured interval. An account with open commands is due again one
interval after the start of its last listing.
"""

import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event as Waiter
from time import monotonic
from typing import Any
from uuid import UUID

import requests
from django.conf import settings

from benchmarks.fixtures import PCAP, SimulatorClient, add_devices, empty_run, now, simulator
from benchmarks.results import ResultRow, result_row
from commands.models import Account, AccountSync, Command, Device, Dispatch, User
from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.states import Status
from dexportal.run import programs as portal
from tests.people import make_account, make_credential, make_person

ACCOUNTS = 100
COMMANDS = 50
SECONDS = 90.0
WARM_UP = 30.0  # skips the first listing of each account, which is a complete one
POST_DEVICES = 10
GOAL_SECONDS = 15.0
STOP_WITHIN = 20.0


def _account_with_commands(
    upstream: SimulatorClient, config: dict[str, Any], world: Sequence[dict[str, Any]], commands: int
) -> Account:
    """Create an account whose commands were just accepted by Cloudflare, with the portal's record of them."""
    credential = make_credential(config["account_id"], value=config["token"])
    account = make_account(config["account_id"], cloudflare_id=config["account_id"], credential=credential)
    devices = add_devices(account, [row for row in world if row["account_id"] == config["account_id"]])
    macs = [device for device in devices if device.platform != "windows"][:commands]
    assert len(macs) == commands, f"{len(macs)} devices"
    person, _ = User.objects.get_or_create(username="helpdesk")
    for first in range(0, commands, POST_DEVICES):
        _post(upstream, account, config["token"], person, macs[first : first + POST_DEVICES])
    return account


def _post(upstream: SimulatorClient, account: Account, token: str, person: User, devices: Sequence[Device]) -> None:
    at = now()
    items = [
        {
            "device_id": device.device_id,
            "registration_id": device.registration_id,
            "user_email": device.email,
            "type": "pcap",
            "args": {**PCAP[Kind.PCAP], "time-limit-min": 10},
        }
        for device in devices
    ]
    url = upstream.commands_url(account.cloudflare_id)
    response = requests.post(url, json={"commands": items}, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    ids = {created["device_id"]: created["id"] for created in response.json()["result"]["commands"]}
    run = empty_run(account, person, len(devices))
    dispatch = Dispatch.objects.create(
        id=new_id(at),
        account=account,
        kind="pcap",
        claimed_at=at,
        lease_until=at + settings.DISPATCH_LEASE,
        ended_at=at,
        outcome=Dispatch.Outcome.CREATED,
    )
    Command.objects.bulk_create(
        [
            Command(
                id=new_id(at),
                account=account,
                run=run,
                requested_by=person,
                requested_at=at,
                kind="pcap",
                device_id=device.device_id,
                registration_id=device.registration_id,
                email=device.email,
                platform=device.platform,
                status=Status.PENDING_EXEC,
                status_at=at,
                version=1,
                dispatch=dispatch,
                remote_id=ids[device.device_id],
                remote_created_at=at,
                deadline_at=at + timedelta(hours=1),
            )
            for device in devices
        ]
    )


@contextmanager
def _workers(upstream: SimulatorClient) -> Iterator[None]:
    """Start one worker process for `talk` and one beat, with the commands of `make run`."""
    environment = {**os.environ, "SIMULATOR_URL": upstream.base_url}
    programs = [portal.worker("talk", 4), portal.beat()]
    processes = [
        subprocess.Popen(list(program.command), env=environment, cwd=settings.BASE_DIR) for program in programs
    ]
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _watch_listings(seconds: float, warm_up: float) -> dict[UUID, list[datetime]]:
    """Poll several times a second, and return the start times of each account's listings."""
    started: dict[UUID, list[datetime]] = {}
    start, waiter = monotonic(), Waiter()
    while monotonic() < start + warm_up + seconds:
        if monotonic() > start + warm_up:
            for account_id, at in AccountSync.objects.exclude(listed_at=None).values_list("account_id", "listed_at"):
                times = started.setdefault(account_id, [])
                if at and (not times or times[-1] != at):
                    times.append(at)
        waiter.wait(0.3)
    return started


def measure(
    accounts: int = ACCOUNTS, commands: int = COMMANDS, seconds: float = SECONDS, warm_up: float = WARM_UP
) -> list[ResultRow]:
    make_person("helpdesk", "helpdesk")
    with simulator(people=max(20, commands * 3), accounts=accounts) as upstream:
        configs = upstream.control("GET", "config")["accounts"]
        world = upstream.control("GET", "world")["devices"]
        prepared = [_account_with_commands(upstream, config, world, commands) for config in configs]
        with _workers(upstream):
            started = _watch_listings(seconds, warm_up)
            end = now()
    intervals = [
        (later - earlier).total_seconds()
        for times in started.values()
        for earlier, later in zip(times, [*times[1:], end], strict=True)
        if later is not end or (end - earlier).total_seconds() > GOAL_SECONDS
    ]
    assert len(started) == len(prepared), f"{len(prepared) - len(started)} accounts were never listed"
    assert intervals, "no account was listed twice"
    p95 = statistics.quantiles(intervals, n=20)[-1] if len(intervals) > 1 else intervals[0]
    interval = settings.SYNC_INTERVAL.total_seconds()
    name = f"accounts: {accounts} with {commands} open commands each"
    print(f"{name}: {len(intervals)} intervals, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return [result_row(f"{name}, p95 between syncs", p95, "s", floor=interval, goal=GOAL_SECONDS)]
