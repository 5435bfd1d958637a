"""Access to pages by group, without any right, and without signing in."""

import pytest
from django.test import Client

from commands.models import Account, Command, User
from tests.html import Page
from tests.people import make_account, make_group, make_person
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def addresses(command: Command) -> list[str]:
    return ["/", "/frame", "/commands/table", f"/commands/{command.id}/", f"/commands/{command.id}/download"]


def test_signed_out_person_is_sent_to_the_sign_in_page(command: Command) -> None:
    for address in addresses(command):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=%2F")


def test_poll_of_a_signed_out_person_opens_the_sign_in_page(command: Command) -> None:
    for address in addresses(command):
        current = "http://testserver/?requested_by=mine"
        answer = Client().get(address, headers={"HX-Request": "true", "HX-Current-URL": current})
        assert answer.status_code == 401
        assert answer["HX-Redirect"] == "/accounts/login/?next=%2F%3Frequested_by%3Dmine"
        assert not answer.content


@pytest.mark.parametrize(
    ("group", "statuses"),
    [
        ("helpdesk", [200, 200, 200, 200, 404]),  # there is no file yet
        ("manager", [200, 200, 200, 200, 404]),
        ("auditor", [200, 200, 200, 200, 403]),
        ("admin", [200, 200, 200, 200, 403]),
    ],
)
def test_each_group_gets_the_pages_of_its_rights(
    command: Command, sign_in: SignIn, group: str, statuses: list[int]
) -> None:
    client = sign_in(make_person("somebody", group))
    assert [client.get(address).status_code for address in addresses(command)] == statuses


def test_command_and_unknown_id_get_the_same_response_without_rights(command: Command, sign_in: SignIn) -> None:
    client = sign_in(make_person("olga"))
    assert [client.get(address).status_code for address in addresses(command)] == [403, 403, 403, 404, 404]
    hidden = client.get(f"/commands/{command.id}/")
    absent = client.get("/commands/01234567-89ab-7def-8123-456789abcdef/")
    assert hidden.content == absent.content
    assert absent.status_code == 404


def test_foreign_and_unknown_account_get_the_same_response(account: Account, sign_in: SignIn) -> None:
    foreign = make_account("Foreign")
    make_group("acme", account=account, see=True, run=True)
    client = sign_in(make_person("olga", "acme"))
    assert client.get(f"/?account={account.id}").status_code == 200
    answers = [client.get(f"/?account={given}") for given in (foreign.id, "01234567-89ab-7def-8123-456789abcdef", "x")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.content for answer in answers}) == 1
    assert client.post("/", {"account": foreign.id}).status_code == 404


def test_person_without_the_right_to_run_has_no_form_and_is_refused(account: Account, sign_in: SignIn) -> None:
    client = sign_in(make_person("mia", "manager"))
    assert not Page.of(client.get("/")).select("#ask")
    answer = client.post("/", {"account": account.id})
    assert answer.status_code == 403
    assert "You don't have the right to run commands in Acme." in Page.of(answer).text("main")


def test_refused_page_links_to_pages_that_are_allowed(account: Account, sign_in: SignIn) -> None:
    client = sign_in(make_person("mia", "manager"))
    refused = client.get("/status/")
    assert refused.status_code == 403
    page = Page.of(refused)
    assert page.select(f"nav a[href='/history/?account={account.id}']")
    assert page.text(f"main a[href='/?account={account.id}']") == "Back to the desk"


def test_person_without_any_right_sees_their_name_and_can_sign_out(account: Account, sign_in: SignIn) -> None:
    refused = sign_in(make_person("olga")).get("/")
    assert refused.status_code == 403
    page = Page.of(refused)
    assert page.text("form[action='/accounts/logout/']") == "You are signed in as olga. Sign out"
    assert not page.select(".avatar")
    assert not page.select("[href='/admin/']")
    assert Page.of(sign_in(make_person("adam", is_staff=True)).get("/")).select("[href='/admin/']")


def test_person_with_only_the_right_to_run_gets_the_form_without_the_list(account: Account, sign_in: SignIn) -> None:
    make_group("runners", account=account, run=True)
    client = sign_in(make_person("rudi", "runners"))
    page = Page.of(client.get("/"))
    assert page.select("#ask")
    assert not page.select("#commands")
    assert client.get("/commands/table").status_code == 403


def test_deactivated_person_is_signed_out(desk: Client, helpdesk: User) -> None:
    User.objects.filter(id=helpdesk.pk).update(is_active=False)
    assert desk.get("/").status_code == 302
