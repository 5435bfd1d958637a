"""Results of a search, as links."""

from uuid import UUID

from commands.models import Account
from commands.queries.search import Hit, HitKind
from commands.web.search import page
from commands.web.search.page import Link
from tests.web.unsaved import ACCOUNT_ID, unsaved_account

GLOBEX_ID = UUID("00000000-0000-4000-8000-00000000acc1")
COMMAND_ID = UUID("00000000-0000-4000-8000-0000000000c0")
ACME = unsaved_account()
GLOBEX = unsaved_account("Globex", id_=GLOBEX_ID)


def links(*hits: Hit) -> list[Link]:
    return list(page.build("text", hits).links)


def person(account: Account = ACME) -> Hit:
    return Hit(HitKind.PERSON, account, "maria@example.com")


def test_search_without_results_repeats_the_text() -> None:
    shown = page.build("lap-0042", [])
    assert (shown.text, list(shown.links)) == ("lap-0042", [])


def test_person_leads_to_the_page_of_the_person() -> None:
    url = f"/people/maria@example.com/?account={ACCOUNT_ID}"
    assert links(person()) == [Link("Person", "maria@example.com", "", url)]


def test_device_is_shown_by_its_name_with_the_id_below() -> None:
    hit = Hit(HitKind.DEVICE, ACME, "d42", name="LAP-0042")
    assert links(hit) == [Link("Device", "LAP-0042", "d42", f"/devices/d42/?account={ACCOUNT_ID}")]


def test_device_without_a_name_is_shown_by_its_id_once() -> None:
    assert links(Hit(HitKind.DEVICE, ACME, "d42")) == [Link("Device", "d42", "", f"/devices/d42/?account={ACCOUNT_ID}")]


def test_ticket_leads_to_its_history() -> None:
    url = f"/history/?account={ACCOUNT_ID}&ticket=inc-1"
    assert links(Hit(HitKind.TICKET, ACME, "inc-1")) == [Link("Ticket", "inc-1", "", url)]


def test_command_is_shown_by_its_title() -> None:
    hit = Hit(HitKind.COMMAND, ACME, str(COMMAND_ID), name="pcap on LAP-0042", command_id=COMMAND_ID)
    assert links(hit) == [Link("Command", "pcap on LAP-0042", "", f"/commands/{COMMAND_ID}/")]


def test_results_in_one_account_do_not_name_it() -> None:
    assert [link.sub for link in links(person(), Hit(HitKind.TICKET, ACME, "inc-1"))] == ["", ""]


def test_results_in_several_accounts_name_the_account() -> None:
    found = links(
        person(),
        person(GLOBEX),
        Hit(HitKind.DEVICE, ACME, "d42", name="LAP-0042"),
        Hit(HitKind.DEVICE, GLOBEX, "d43"),
        Hit(HitKind.TICKET, GLOBEX, "inc-1"),
        Hit(HitKind.COMMAND, ACME, str(COMMAND_ID), name="pcap on LAP-0042", command_id=COMMAND_ID),
    )
    assert [link.sub for link in found] == ["Acme", "Globex", "d42 · Acme", "Globex", "Globex", "Acme"]


def test_links_lead_into_the_account_of_the_result() -> None:
    assert [link.url for link in links(person(), person(GLOBEX))] == [
        f"/people/maria@example.com/?account={ACCOUNT_ID}",
        f"/people/maria@example.com/?account={GLOBEX_ID}",
    ]


def test_result_that_no_address_can_hold_is_left_out() -> None:
    assert links(Hit(HitKind.PERSON, ACME, "a/b@example.com"), person()) == links(person())
