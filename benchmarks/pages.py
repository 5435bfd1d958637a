"""Time of the pages with 100 000 commands, each with 3 Events and an artifact row.

Floor of a page: the history of an account without commands. Floor of an admin page: the list of presets. Both are
measured on the same database in the same run.
"""

import sys
from collections.abc import Mapping

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from benchmarks.results import ResultRow, milliseconds, result_row
from commands.models import Artifact, Command, Event, User
from tests.people import make_account

COMMANDS = 100_000
ROUNDS = 8
GOAL_MS = 100.0
GOAL_ADMIN_MS = 300.0


def measure() -> list[ResultRow]:
    call_command("make_history", commands=COMMANDS, seed=1, stdout=sys.stderr)
    manager, admin = _signed_in_client("manager"), _signed_in_client("admin")
    floor = _milliseconds(manager, f"/history/?account={make_account('Nothing yet').id}")
    admin_floor = _milliseconds(admin, "/admin/commands/preset/")
    return [
        *_results(manager, _pages(), floor, GOAL_MS),
        *_results(admin, _admin_pages(), admin_floor, GOAL_ADMIN_MS),
    ]


def _results(client: Client, pages: Mapping[str, str], floor: float, goal: float) -> list[ResultRow]:
    return [
        result_row(f"pages: {name}", _milliseconds(client, path), "ms", floor=floor, goal=goal)
        for name, path in pages.items()
    ]


def _signed_in_client(group: str) -> Client:
    person = User.objects.create(username=f"bench-{group}", is_staff=group == "admin")
    person.groups.set(Group.objects.filter(name=group))
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    return client


def _pages() -> dict[str, str]:
    newest = Command.objects.ours().exclude(remote_id="").exclude(ticket="").select_related("requested_by")
    latest, deep = newest.order_by("-id")[0], newest.order_by("id")[200]
    assert latest.requested_by
    history = f"/history/?account={latest.account_id}"
    filters = {
        "person": latest.email,
        "device": latest.device_name.lower(),
        "ticket": latest.ticket,
        "requested_by": latest.requested_by.username,
        "kind": "speed-test",
        "started": "elsewhere",
    }
    return {
        "desk": f"/?account={latest.account_id}",
        "desk, everyone, all time": f"/?account={latest.account_id}&requested_by=everyone&days=all",
        "desk, open of all time": f"/?account={latest.account_id}&requested_by=everyone&days=all&group=open",
        "history": history,
        "history, far back": f"{history}&before={deep.id}",
        "history, oldest first": f"{history}&order=oldest",
        **{f"history, {name}": f"{history}&{name}={value}" for name, value in filters.items()},
        "history, rare status": f"{history}&status=declined",
        "history, failed": f"{history}&status=failed",
        "history, all filters": (
            f"{history}&status=failed&kind={latest.kind}&requested_by={filters['requested_by']}&since=2020-01-01"
        ),
        "history, nothing found": f"{history}&person=nobody@example.com&kind=pcap",
        "person": f"/people/{latest.email}/?account={latest.account_id}",
        "device": f"/devices/{latest.device_id}/?account={latest.account_id}",
        "run": f"/runs/{latest.run_id}/",
        "command": f"/commands/{latest.id}/",
        "search, Cloudflare's id": f"/search/?q={latest.remote_id}",
        "search, nothing found": "/search/?q=nothing",
    }


def _admin_pages() -> dict[str, str]:
    command = Command.objects.ours().exclude(remote_id="").exclude(ticket="").order_by("-id")[5000]
    event, artifact = Event.objects.filter(command=command).first(), Artifact.objects.get(command=command)
    assert event
    commands = "/admin/commands/command/"
    return {
        "admin, commands": commands,
        "admin, commands by status": f"{commands}?status__exact=declined",
        **{
            f"admin, commands by {name}": f"{commands}?q={query}"
            for name, query in {
                "id": command.id,
                "Cloudflare's id": command.remote_id,
                "device": command.device_id,
                "email": command.email,
                "ticket": command.ticket,
            }.items()
        },
        "admin, commands, nothing found": f"{commands}?q=nothing",
        "admin, a command": f"{commands}{command.id}/change/",
        "admin, events": "/admin/commands/event/",
        "admin, events of a command": f"/admin/commands/event/?q={command.id}",
        "admin, artifacts": "/admin/commands/artifact/",
        "admin, artifacts by status": "/admin/commands/artifact/?status__exact=gone",
        "admin, an artifact by id": f"/admin/commands/artifact/?q={artifact.id}",
        "admin, runs": "/admin/commands/run/",
        "admin, devices": "/admin/commands/device/",
        "admin, devices of a person": f"/admin/commands/device/?q={command.email}",
        "admin, dispatches": "/admin/commands/dispatch/",
    }


def _milliseconds(client: Client, path: str) -> float:
    """Return the fastest of several calls, so that other load on the machine does not count."""

    def get() -> None:
        response = client.get(path)
        assert response.status_code in (200, 302), (path, response.status_code)

    return min(milliseconds(get) for _ in range(ROUNDS))
