"""How often is each of 100 accounts synced that have a token and 50 open commands each, by one `talk` process?

Beat, a real worker and Redis. The floor is the interval that is asked for: an account with open commands is due again
that long after its listing began.
"""

import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event as Pause
from time import monotonic
from typing import Any
from uuid import UUID

import requests
from django.conf import settings

from benchmarks.company import PCAP, Simulator, add_devices, empty_run, now, simulator
from benchmarks.figures import Row, row
from commands.models import Account, AccountSync, Command, Device, Dispatch, User
from commands.rules.ids import new_id
from commands.rules.kinds import Kind
from commands.rules.states import Status
from dexportal.run import portal
from tests.people import make_account, make_credential, make_person

ACCOUNTS = 100
COMMANDS = 50
SECONDS = 90.0
WARM_UP = 30.0  # the first listing of an account is a complete one
POST_DEVICES = 10
GOAL_SECONDS = 15.0
STOP_WITHIN = 20.0


def _company(upstream: Simulator, told: dict[str, Any], world: Sequence[dict[str, Any]], commands: int) -> Account:
    """An account whose commands Cloudflare took a moment ago, and our record of it."""
    credential = make_credential(told["account_id"], value=told["token"])
    account = make_account(told["account_id"], cloudflare_id=told["account_id"], credential=credential)
    devices = add_devices(account, [row for row in world if row["account_id"] == told["account_id"]])
    macs = [device for device in devices if device.platform != "windows"][:commands]
    assert len(macs) == commands, f"{len(macs)} devices"
    person, _ = User.objects.get_or_create(username="helpdesk")
    for first in range(0, commands, POST_DEVICES):
        _post(upstream, account, told["token"], person, macs[first : first + POST_DEVICES])
    return account


def _post(upstream: Simulator, account: Account, token: str, person: User, devices: Sequence[Device]) -> None:
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
    answer = requests.post(url, json={"commands": items}, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    ids = {one["device_id"]: one["id"] for one in answer.json()["result"]["commands"]}
    made = empty_run(account, person, len(devices))
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
                run=made,
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
def _workers(upstream: Simulator) -> Iterator[None]:
    """One worker process for `talk` and one beat, as `make run` starts them."""
    environment = {**os.environ, "SIMULATOR_URL": upstream.base_url}
    programs = [portal.worker("talk", 4), portal.beat()]
    processes = [subprocess.Popen(list(one.words), env=environment, cwd=settings.BASE_DIR) for one in programs]
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


def _watched(seconds: float, warm_up: float) -> dict[UUID, list[datetime]]:
    """For each account the times at which its listings began, seen by looking several times a second."""
    begun: dict[UUID, list[datetime]] = {}
    start, pause = monotonic(), Pause()
    while monotonic() < start + warm_up + seconds:
        if monotonic() > start + warm_up:
            for account_id, at in AccountSync.objects.exclude(listed_at=None).values_list("account_id", "listed_at"):
                seen = begun.setdefault(account_id, [])
                if at and (not seen or seen[-1] != at):
                    seen.append(at)
        pause.wait(0.3)
    return begun


def measure(
    accounts: int = ACCOUNTS, commands: int = COMMANDS, seconds: float = SECONDS, warm_up: float = WARM_UP
) -> list[Row]:
    make_person("helpdesk", "helpdesk")
    with simulator(people=max(20, commands * 3), accounts=accounts) as upstream:
        told = upstream.control("GET", "config")["accounts"]
        world = upstream.control("GET", "world")["devices"]
        made = [_company(upstream, one, world, commands) for one in told]
        with _workers(upstream):
            begun = _watched(seconds, warm_up)
            end = now()
    intervals = [
        (later - earlier).total_seconds()
        for times in begun.values()
        for earlier, later in zip(times, [*times[1:], end], strict=True)
        if later is not end or (end - earlier).total_seconds() > GOAL_SECONDS
    ]
    assert len(begun) == len(made), f"{len(made) - len(begun)} accounts were never listed"
    assert intervals, "no account was listed twice"
    p95 = statistics.quantiles(intervals, n=20)[-1] if len(intervals) > 1 else intervals[0]
    asked_for = settings.SYNC_INTERVAL.total_seconds()
    name = f"accounts: {accounts} with {commands} open commands each"
    print(f"{name}: {len(intervals)} intervals, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return [row(f"{name}, p95 between syncs", p95, "s", floor=asked_for, goal=GOAL_SECONDS)]
