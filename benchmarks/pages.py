"""How long do the pages take with 100 000 commands, each with 3 events and an artifact row?

The floor of a page is the history of an account without a command; that of a page of the admin, the list of presets.
Both are asked of the same database in the same run.
"""

import sys
from collections.abc import Mapping

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from benchmarks.figures import Row, milliseconds, row
from commands.models import Artifact, Command, Event, User
from tests.people import make_account

COMMANDS = 100_000
ROUNDS = 8
GOAL_MS = 100.0
GOAL_ADMIN_MS = 300.0


def measure() -> list[Row]:
    call_command("make_history", commands=COMMANDS, seed=1, stdout=sys.stderr)
    manager, admin = _signed_in("manager"), _signed_in("admin")
    floor = _milliseconds(manager, f"/history/?account={make_account('Nothing yet').id}")
    admin_floor = _milliseconds(admin, "/admin/commands/preset/")
    return [
        *_measured(manager, _pages(), floor, GOAL_MS),
        *_measured(admin, _admin_pages(), admin_floor, GOAL_ADMIN_MS),
    ]


def _measured(client: Client, pages: Mapping[str, str], floor: float, goal: float) -> list[Row]:
    return [
        row(f"pages: {name}", _milliseconds(client, path), "ms", floor=floor, goal=goal) for name, path in pages.items()
    ]


def _signed_in(group: str) -> Client:
    person = User.objects.create(username=f"bench-{group}", is_staff=group == "admin")
    person.groups.set(Group.objects.filter(name=group))
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    return client


def _pages() -> dict[str, str]:
    newest = Command.objects.ours().exclude(remote_id="").exclude(ticket="").select_related("requested_by")
    one, deep = newest.order_by("-id")[0], newest.order_by("id")[200]
    assert one.requested_by
    history = f"/history/?account={one.account_id}"
    filters = {
        "person": one.email,
        "device": one.device_name.lower(),
        "ticket": one.ticket,
        "asked": one.requested_by.username,
        "kind": "speed-test",
        "started": "elsewhere",
    }
    return {
        "desk": f"/?account={one.account_id}",
        "desk, everyone, all time": f"/?account={one.account_id}&asked=everyone&days=all",
        "desk, open of all time": f"/?account={one.account_id}&asked=everyone&days=all&group=open",
        "history": history,
        "history, far back": f"{history}&before={deep.id}",
        "history, oldest first": f"{history}&order=oldest",
        **{f"history, {name}": f"{history}&{name}={value}" for name, value in filters.items()},
        "history, rare status": f"{history}&status=declined",
        "history, failed": f"{history}&status=failed",
        "history, all filters": f"{history}&status=failed&kind={one.kind}&asked={filters['asked']}&since=2020-01-01",
        "history, nothing found": f"{history}&person=nobody@example.com&kind=pcap",
        "person": f"/people/{one.email}/?account={one.account_id}",
        "device": f"/devices/{one.device_id}/?account={one.account_id}",
        "run": f"/runs/{one.run_id}/",
        "command": f"/commands/{one.id}/",
        "search, Cloudflare's id": f"/search/?q={one.remote_id}",
        "search, nothing found": "/search/?q=nothing",
    }


def _admin_pages() -> dict[str, str]:
    one = Command.objects.ours().exclude(remote_id="").exclude(ticket="").order_by("-id")[5000]
    event, artifact = Event.objects.filter(command=one).first(), Artifact.objects.get(command=one)
    assert event
    commands = "/admin/commands/command/"
    return {
        "admin, commands": commands,
        "admin, commands by status": f"{commands}?status__exact=declined",
        **{
            f"admin, commands by {name}": f"{commands}?q={word}"
            for name, word in {
                "id": one.id,
                "Cloudflare's id": one.remote_id,
                "device": one.device_id,
                "email": one.email,
                "ticket": one.ticket,
            }.items()
        },
        "admin, commands, nothing found": f"{commands}?q=nothing",
        "admin, a command": f"{commands}{one.id}/change/",
        "admin, events": "/admin/commands/event/",
        "admin, events of a command": f"/admin/commands/event/?q={one.id}",
        "admin, artifacts": "/admin/commands/artifact/",
        "admin, artifacts by status": "/admin/commands/artifact/?status__exact=gone",
        "admin, an artifact by id": f"/admin/commands/artifact/?q={artifact.id}",
        "admin, runs": "/admin/commands/run/",
        "admin, devices": "/admin/commands/device/",
        "admin, devices of a person": f"/admin/commands/device/?q={one.email}",
        "admin, dispatches": "/admin/commands/dispatch/",
    }


def _milliseconds(client: Client, path: str) -> float:
    """The quickest of some calls: what others do on the machine is no part of the question."""

    def get() -> None:
        answer = client.get(path)
        assert answer.status_code in (200, 302), (path, answer.status_code)

    return min(milliseconds(get) for _ in range(ROUNDS))
