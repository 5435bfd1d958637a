"""Time to submit a run on 1000 devices at the desk.

Floor: a bulk insert of the same rows and Events in one transaction, from objects that exist already.
"""

from urllib.parse import urlencode
from uuid import uuid4

from django.db import transaction
from django.test import Client

from benchmarks.fixtures import AccountSetup, account_setup, copy_commands, empty_run, option_fields
from benchmarks.results import ResultRow, median, milliseconds, result_row, result_row_by_ratio
from commands.models import Command, Event, Run

DEVICES = 1000
ROUNDS = 7
GOAL_RATIO = 2.5
GOAL_MS = 800.0
FORM = "application/x-www-form-urlencoded"


def _form_body(setup: AccountSetup, devices: int) -> str:
    """Encode the desk's form with a pasted list of device ids, as a browser sends it."""
    fields = {
        "account": str(setup.account.id),
        "key": str(uuid4()),
        "kinds": "pcap",
        "targets": "\n".join(device.device_id for device in setup.devices[:devices]),
        "ticket": "HD-1",
        "reason": "the portal is slow since this morning",
        **option_fields(),
    }
    return urlencode(fields)


def _page_milliseconds(client: Client, body: str) -> float:
    def submit() -> None:
        response = client.post("/", body, content_type=FORM, headers={"HX-Request": "true"})
        assert response.status_code == 200, response.content[:500]

    return milliseconds(submit)


def _insert_milliseconds(setup: AccountSetup, commands: list[Command]) -> float:
    run = empty_run(setup.account, setup.person, len(commands))
    rows, events = copy_commands(commands, run)

    def insert() -> None:
        with transaction.atomic():
            Command.objects.bulk_create(rows, batch_size=500)
            Event.objects.bulk_create(events, batch_size=500)

    return milliseconds(insert)


def measure(devices: int = DEVICES, rounds: int = ROUNDS) -> list[ResultRow]:
    pages, floors = [], []
    with account_setup(devices) as setup:
        client = Client(SERVER_NAME="localhost")
        client.force_login(setup.person)
        for _ in range(rounds + 1):
            pages.append(_page_milliseconds(client, _form_body(setup, devices)))
            newest = Run.objects.order_by("-id")[0]
            commands = list(Command.objects.filter(run=newest).order_by("id"))
            assert len(commands) == devices
            floors.append(_insert_milliseconds(setup, commands))
    page, floor = median(pages[1:]), median(floors[1:])  # the first round compiles templates and opens connections
    name = f"submit: page for a run on {devices} devices"
    return [
        result_row_by_ratio(f"{name}, against a bulk insert", page, "ms", floor=floor, goal=GOAL_RATIO),
        result_row(name, page, "ms", floor=floor, goal=GOAL_MS),
    ]
