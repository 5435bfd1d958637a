"""Form of the desk: devices to choose, fields to post, and the parts that htmx fetches."""

from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from commands.models import Account, Device
from tests.html import Page
from tests.rows import make_device

HTMX = {"HX-Request": "true"}
ID = "0123abcd-0123-4123-8123-0123456789ab"


def laptop(account: Account, email: str, name: str, /, **values: Any) -> Device:
    """Create a device that can run commands, unless the values say otherwise."""
    seen = {"seen_at": timezone.now(), "eligible": True, "client_version": "2026.8.1", "platform": "mac"}
    return make_device(account, **{"email": email, "name": name, "registration_id": uuid4().hex, **seen, **values})


def matching_devices(client: Client, text: str, *selected: Device) -> Page:
    """Return the part of the form that lists the selected devices, and those that match a text."""
    query: dict[str, Any] = {"who": text, "device": [device.pk for device in selected]}
    answer = client.get("/ask/devices", query, headers=HTMX)
    assert answer.status_code == 200
    return Page.of(answer)


def matching_people(client: Client, text: str, *selected: Device) -> list[str]:
    """Return the names before the @ of the people whose devices are listed."""
    people = matching_devices(client, text, *selected).texts("[data-testid=device] .main")
    return [person.removesuffix("@example.com") for person in people]


def typed(account: Account, /, **values: Any) -> dict[str, Any]:
    """Return the fields of a form that requests a capture, changed by these values."""
    return {"account": account.id, "key": uuid4(), "kinds": ["pcap"], "targets": "", "ticket": "INC-1", **values}


def plan_of(client: Client, form: dict[str, Any]) -> str:
    """Return the text of the plan of a form, which ends with the button."""
    answer = client.post("/ask/plan", form, headers=HTMX)
    assert answer.status_code == 200
    return Page.of(answer).text()
