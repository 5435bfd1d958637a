"""Input that no page sends gets a proper response, never a server error."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from commands.models import Account, Command
from tests.html import Page
from tests.people import make_person
from tests.rows import make_device
from tests.web.conftest import SignIn
from tests.web.desk.request_form import HTMX, ID

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/people/a%00b/", 404),
        ("/devices/a%00b/", 404),
        ("/?who=a%00b", 400),
        ("/search/?q=a%00b", 400),
        ("/history/?person=a%00b", 400),
        ("/ask/devices?who=a%00b", 400),
        ("/ask/devices?who=a&who%00=b", 400),
        ("/accounts/login/?next=%00", 400),
    ],
)
def test_nul_in_an_address_gets_a_page(account: Account, desk: Client, path: str, status: int) -> None:
    answer = desk.get(path)
    assert answer.status_code == status
    assert Page.of(answer).text("h1") == ("Page not found" if status == 404 else "Request too large or damaged")


def test_nul_in_the_search_of_the_admin_gets_a_page(account: Account, sign_in: SignIn) -> None:
    admin = sign_in(make_person("ada", "admin"))
    assert admin.get("/admin/commands/device/?q=a%00b").status_code == 400


@pytest.mark.parametrize("field", ["targets", "purpose", "ticket", "reason", "key", "kinds", "device"])
def test_nul_in_a_field_is_an_error_of_the_form(account: Account, desk: Client, field: str) -> None:
    make_device(account, email="maria@example.com")
    form: dict[str, Any] = {"account": account.id, "key": uuid4(), "kinds": ["pcap"], "ticket": "INC-1"}
    form |= {"targets": "maria@example.com", "reason": "VPN slow"}
    for path in ("/", "/ask/plan"):
        answer = desk.post(path, form | {field: "a\0b"}, headers=HTMX)
        assert answer.status_code == (422 if path == "/" else 200)
    assert not Command.objects.exists()


@pytest.mark.parametrize("digits", [19, 25, 5000])
def test_device_key_with_too_many_digits_is_ignored(account: Account, desk: Client, digits: int) -> None:
    assert desk.get("/ask/devices", {"device": "9" * digits, "who": "x"}, headers=HTMX).status_code == 200


def test_broken_address_of_the_page_does_not_stop_a_run(account: Account, desk: Client) -> None:
    form = {"account": account.id, "key": uuid4(), "kinds": ["pcap"], "targets": f"{ID}, maria@example.com"}
    answer = desk.post("/", form, headers={**HTMX, "HX-Current-URL": "http://[::1"})
    assert answer.status_code == 200
    assert "1 command queued." in Page.of(answer).text("[data-testid=confirmation]")


def test_broken_address_of_the_page_leads_to_the_sign_in_page(client: Client) -> None:
    answer = client.get("/commands/table", headers={**HTMX, "HX-Current-URL": "http://[::1"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/accounts/login/?next=%2F")
