"""How long does the page take that asks for a capture on 1000 devices in one run?

The floor is the bulk insert of the same rows and Events, in one transaction, of objects that are made beforehand.
"""

from urllib.parse import urlencode
from uuid import uuid4

from django.db import transaction
from django.test import Client

from benchmarks.company import Company, company, copies, empty_run, option_fields
from benchmarks.figures import Row, median, milliseconds, row, times_floor
from commands.models import Command, Event, Run

DEVICES = 1000
ROUNDS = 7
GOAL_RATIO = 2.5
GOAL_MS = 800.0
FORM = "application/x-www-form-urlencoded"


def _body(desk: Company, devices: int) -> str:
    """A pasted list of device ids, as a person sends it."""
    fields = {
        "account": str(desk.account.id),
        "key": str(uuid4()),
        "kinds": "pcap",
        "targets": "\n".join(device.device_id for device in desk.devices[:devices]),
        "ticket": "HD-1",
        "reason": "the portal is slow since this morning",
        **option_fields(),
    }
    return urlencode(fields)


def _page(client: Client, body: str) -> float:
    def ask() -> None:
        answer = client.post("/", body, content_type=FORM, headers={"HX-Request": "true"})
        assert answer.status_code == 200, answer.content[:500]

    return milliseconds(ask)


def _insert(desk: Company, commands: list[Command]) -> float:
    run = empty_run(desk.account, desk.person, len(commands))
    rows, events = copies(commands, run)

    def insert() -> None:
        with transaction.atomic():
            Command.objects.bulk_create(rows, batch_size=500)
            Event.objects.bulk_create(events, batch_size=500)

    return milliseconds(insert)


def measure(devices: int = DEVICES, rounds: int = ROUNDS) -> list[Row]:
    pages, floors = [], []
    with company(devices) as desk:
        client = Client(SERVER_NAME="localhost")
        client.force_login(desk.person)
        for _ in range(rounds + 1):
            pages.append(_page(client, _body(desk, devices)))
            newest = Run.objects.order_by("-id")[0]
            commands = list(Command.objects.filter(run=newest).order_by("id"))
            assert len(commands) == devices
            floors.append(_insert(desk, commands))
    page, floor = median(pages[1:]), median(floors[1:])  # the first one compiles templates and opens connections
    name = f"ask: the page that asks {devices} devices"
    return [
        times_floor(f"{name}, against a bulk insert", page, "ms", floor=floor, goal=GOAL_RATIO),
        row(name, page, "ms", floor=floor, goal=GOAL_MS),
    ]
