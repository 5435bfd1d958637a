"""Who gets which page: helpdesk, manager, auditor, admin, outsider and nobody, in an own and in a foreign account."""

import pytest
from django.test import Client

from commands.models import Account, Command, User
from tests.people import make_account, make_group, make_person
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def addresses(command: Command) -> list[str]:
    return ["/", "/frame", "/commands/table", f"/commands/{command.id}/", f"/commands/{command.id}/download"]


def test_signed_out_every_page_leads_to_the_sign_in_page_and_back(command: Command) -> None:
    for address in addresses(command):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=%2F")


def test_signed_out_a_poll_takes_the_whole_page_to_the_sign_in_page(command: Command) -> None:
    for address in addresses(command):
        page = "http://testserver/?asked=mine"
        answer = Client().get(address, headers={"HX-Request": "true", "HX-Current-URL": page})
        assert answer.status_code == 401
        assert answer["HX-Redirect"] == "/accounts/login/?next=%2F%3Fasked%3Dmine"
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
def test_each_group_gets_what_its_rights_say(
    command: Command, sign_in: SignIn, group: str, statuses: list[int]
) -> None:
    client = sign_in(make_person("somebody", group))
    assert [client.get(address).status_code for address in addresses(command)] == statuses


def test_without_any_right_a_command_is_as_absent_as_one_that_never_was(command: Command, sign_in: SignIn) -> None:
    client = sign_in(make_person("olga"))
    assert [client.get(address).status_code for address in addresses(command)] == [403, 403, 403, 404, 404]
    there = client.get(f"/commands/{command.id}/")
    absent = client.get("/commands/01234567-89ab-7def-8123-456789abcdef/")
    assert there.content == absent.content
    assert absent.status_code == 404


def test_a_foreign_account_is_as_absent_as_one_that_never_was(account: Account, sign_in: SignIn) -> None:
    foreign = make_account("Foreign")
    make_group("acme", account=account, see=True, run=True)
    client = sign_in(make_person("olga", "acme"))
    assert client.get(f"/?account={account.id}").status_code == 200
    answers = [client.get(f"/?account={given}") for given in (foreign.id, "01234567-89ab-7def-8123-456789abcdef", "x")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.content for answer in answers}) == 1
    assert client.post("/", {"account": foreign.id}).status_code == 404


def test_who_may_not_run_sees_no_form_and_is_refused_with_the_missing_right(account: Account, sign_in: SignIn) -> None:
    client = sign_in(make_person("mia", "manager"))
    assert 'id="ask"' not in client.get("/").text
    answer = client.post("/", {"account": account.id})
    assert answer.status_code == 403
    assert "You don&#x27;t have the right to run commands in Acme." in answer.text


def test_what_is_refused_keeps_the_way_to_what_is_allowed(account: Account, sign_in: SignIn) -> None:
    client = sign_in(make_person("mia", "manager"))
    refused = client.get("/status/")
    assert refused.status_code == 403
    assert f'href="/history/?account={account.id}"' in refused.text
    assert f'href="/?account={account.id}">Back to the desk' in refused.text


def test_who_may_be_nowhere_is_told_as_whom_and_can_sign_out(account: Account, sign_in: SignIn) -> None:
    refused = sign_in(make_person("olga")).get("/")
    assert refused.status_code == 403
    assert "You are signed in as olga." in refused.text
    assert 'action="/accounts/logout/"' in refused.text
    assert "··" not in refused.text
    assert "/admin/" not in refused.text
    assert "/admin/" in sign_in(make_person("adam", is_staff=True)).get("/").text


def test_who_may_run_but_not_see_gets_the_form_alone(account: Account, sign_in: SignIn) -> None:
    make_group("runners", account=account, run=True)
    client = sign_in(make_person("rudi", "runners"))
    page = client.get("/")
    assert 'id="ask"' in page.text
    assert 'id="commands"' not in page.text
    assert client.get("/commands/table").status_code == 403


def test_somebody_deactivated_is_signed_out(desk: Client, helpdesk: User) -> None:
    User.objects.filter(id=helpdesk.pk).update(is_active=False)
    assert desk.get("/").status_code == 302
