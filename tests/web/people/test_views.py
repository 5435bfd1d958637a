"""The pages of a person, a device and a run, the search that opens them, and taking back what is not sent."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, Command, Device, Event, Run, User
from commands.rules.states import Status
from tests.people import make_account, make_group, make_person
from tests.rows import make_command, make_device, make_run, trouble

pytestmark = pytest.mark.django_db

DEVICE = "00000000-0000-4000-8000-0000000000aa"


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def hilde(client: Client) -> User:
    person = make_person("hilde", "helpdesk")
    client.force_login(person)
    return person


@pytest.fixture
def device(account: Account) -> Device:
    facts: dict[str, Any] = {"device_id": DEVICE, "registration_id": "r-1", "name": "LAP-0042", "platform": "windows"}
    return make_device(account, email="mia@example.com", eligible=True, connection="connected", **facts)


@pytest.fixture
def run(account: Account, hilde: User) -> Run:
    options = {"pcap": {"time-limit-min": 2}, "warp-diag": {}}
    return make_run(account, hilde, purpose="No connection", ticket="INC-88", reason="She calls", options=options)


@pytest.fixture
def command(run: Run, device: Device) -> Command:
    return make_command(
        run,
        Status.SUCCESS,
        device_id=device.device_id,
        device_name=device.name,
        email=device.email,
        ticket="INC-88",
        remote_id=str(uuid4()),
    )


def page(client: Client, path: str, **query: str) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content[:300]
    return answer.content.decode()


def rows(words: str) -> list[str]:
    return [part.split('"')[0] for part in words.split('<tr id="row-')[1:] if not part.startswith("none")]


def said_after_taking_back(client: Client, run: Run) -> str:
    answer = client.post(f"/runs/{run.id}/withdraw")
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{run.id}/")
    return page(client, answer["Location"])


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        page(client, path)
    return len(captured)


# --- A person, a device


def test_a_person_has_their_devices_their_commands_and_a_link_that_runs_one(client: Client, command: Command) -> None:
    words = page(client, "/people/Mia@example.com/")
    assert rows(words) == [str(command.id)]
    assert "LAP-0042" in words
    assert "Connected" in words
    assert f"/devices/{DEVICE}/" in words
    assert "who=mia%40example.com" in words


def test_of_several_devices_the_desk_asks_which(client: Client, command: Command, device: Device) -> None:
    make_device(device.account, email="mia@example.com", name="MBP-0007")
    head = page(client, "/people/mia@example.com/").split("Devices</h2>")[0]
    assert "who=mia%40example.com" in head
    assert "Run a command</a>" in head


def test_what_the_page_is_about_is_not_said_again_in_each_row(client: Client, command: Command, run: Run) -> None:
    heads = {
        "/people/mia@example.com/": ["Status", "Device", "Command", "Requested by", "Ticket", "Result"],
        f"/devices/{DEVICE}/": ["Status", "Person", "Command", "Requested by", "Ticket", "Result"],
        f"/runs/{run.id}/": ["Status", "Person and device", "Command", "Result"],
    }
    for path, expected in heads.items():
        words = page(client, path)
        assert re.findall(r'<th scope="col"[^>]*>([\w ]+)</th>', words) == expected
        row = words.split('<tbody id="rows">')[1]
        assert ("mia@example.com<" in row) is ("people" not in path)
        assert ("LAP-0042<" in row) is ("devices" not in path)


def test_a_device_is_the_machine_with_all_its_registrations(client: Client, command: Command, device: Device) -> None:
    make_device(device.account, device_id=DEVICE, registration_id="r-2", email="max@example.com", name="LAP-0042")
    words = page(client, f"/devices/{DEVICE.upper()}/")
    assert rows(words) == [str(command.id)]
    assert "mia@example.com" in words
    assert f"who={DEVICE}%2C+max%40example.com%2C+r-2" in words


def test_why_a_device_takes_no_command_stands_beside_it_in_cloudflares_words(client: Client, device: Device) -> None:
    client.force_login(make_person("hans", "helpdesk"))
    Device.objects.update(eligible=False, ineligible_reason="The client is too old.")
    words = page(client, f"/devices/{DEVICE}/")
    assert "Not eligible" in words
    assert "The client is too old." in words
    assert "No command on this device." in words


@pytest.mark.parametrize("path", ["/people/mia@example.com/", f"/devices/{DEVICE}/"])
def test_what_is_open_now_is_counted_and_the_count_opens_it(client: Client, command: Command, path: str) -> None:
    facts = {"device_id": command.device_id, "email": command.email}
    waiting = make_command(make_run(command.account, command.requested_by), Status.QUEUED, **facts)  # type: ignore[arg-type]
    words = page(client, path)
    assert rows(words) == [str(waiting.id), str(command.id)]
    assert 'Open <span class="count">1</span>' in words
    assert rows(page(client, path, group="open")) == [str(waiting.id)]
    assert rows(page(client, path, group="done")) == [str(command.id)]
    assert "No commands in this state." in page(client, path, group="failed")
    assert rows(page(client, path, group="nonsense")) == [str(waiting.id), str(command.id)]


@pytest.mark.parametrize("path", ["/people/mia@example.com/", f"/devices/{DEVICE}/"])
def test_who_may_not_run_gets_no_link_that_would_be_refused(client: Client, command: Command, path: str) -> None:
    client.force_login(make_person("mona", "manager"))
    assert "who=" not in page(client, path)


def test_what_cloudflare_lists_no_more_is_still_on_record(client: Client, command: Command, device: Device) -> None:
    device.delete()
    for path in ("/people/mia@example.com/", f"/devices/{DEVICE}/"):
        words = page(client, path)
        assert rows(words) == [str(command.id)]
        assert "Cloudflare lists none now." in words


def test_whom_this_account_does_not_know_is_not_here(client: Client, command: Command) -> None:
    other = make_account("Other")
    for path in ("/people/nobody@example.com/", f"/devices/{uuid4()}/"):
        assert client.get(path).status_code == 404
    for path in ("/people/mia@example.com/", f"/devices/{DEVICE}/"):
        assert client.get(path, {"account": str(other.id)}).status_code == 404


@pytest.mark.parametrize("path", ["/people/mia@example.com/", f"/devices/{DEVICE}/", "run"])
def test_a_page_takes_eight_queries_however_many_rows_it_has(client: Client, command: Command, path: str) -> None:
    path = f"/runs/{command.run_id}/" if path == "run" else path
    before = queries_of(client, path)
    assert command.run
    for number in range(4):
        make_device(command.account, device_id=DEVICE, registration_id=f"r-{number}x", email=command.email)
        make_command(command.run, Status.EXPIRED, device_id=DEVICE, email=command.email)
    assert queries_of(client, path) == before <= 8


# --- A run


def test_a_run_says_what_was_asked_and_counts_its_commands_by_state(client: Client, command: Command, run: Run) -> None:
    make_command(run, Status.QUEUED)
    words = page(client, f"/runs/{run.id}/")
    for said in ("No connection", "INC-88", "She calls", "2 min", "1 of 2 ended", "Packet capture and WARP diag"):
        assert said in words, said
    assert 'Queued <span class="count">1</span>' in words
    assert len(rows(words)) == 2
    assert rows(page(client, f"/runs/{run.id}/", status="SUCCESS")) == [str(command.id)]
    assert "Nothing in this state any more." in page(client, f"/runs/{run.id}/", status="FAILED")


def test_a_poll_of_a_run_brings_its_rows_counters_and_progress(client: Client, command: Command, run: Run) -> None:
    answer = client.get(f"/runs/{run.id}/", {"token": "old"}, headers={"HX-Request": "true"})
    words = answer.content.decode()
    assert "<html" not in words
    assert "1 of 1 ended" in words
    assert 'id="filters"' in words
    chips = client.get(f"/runs/{run.id}/", {"status": "SUCCESS"}, headers={"HX-Request": "true"}).content.decode()
    assert '<section id="commands"' in chips
    assert "<html" not in chips


def test_what_is_not_sent_is_taken_back_and_each_of_the_others_is_named(
    client: Client, command: Command, run: Run, hilde: User
) -> None:
    waiting = make_command(run, Status.QUEUED, device_name="LAP-1")
    assert f'action="/runs/{run.id}/withdraw"' in page(client, f"/runs/{run.id}/")
    assert "Withdrawn: LAP-1." in said_after_taking_back(client, run)
    waiting.refresh_from_db()
    assert (waiting.status, command.status) == (Status.WITHDRAWN, Status.SUCCESS)
    event = Event.objects.get(command=waiting)
    assert (event.by, event.to_status) == (hilde, Status.WITHDRAWN)
    assert "Everything has already been sent." in said_after_taking_back(client, run)


def test_who_may_only_see_is_told_why_the_button_is_off(client: Client, run: Run) -> None:
    make_command(run, Status.QUEUED)
    client.force_login(make_person("mona", "manager"))
    words = page(client, f"/runs/{run.id}/")
    assert "/withdraw" not in words
    assert "You don&#x27;t have the right to run commands." in words
    assert client.post(f"/runs/{run.id}/withdraw").status_code == 403


# --- The search


def found(client: Client, text: str) -> str:
    """Where a search leads; '' if it stays where it is."""
    answer = client.get("/search/", {"q": text})
    return answer.headers.get("Location", "")


def test_a_search_opens_the_one_thing_that_it_finds(client: Client, command: Command, account: Account) -> None:
    assert found(client, " MIA@example.com") == f"/people/mia@example.com/?account={account.id}"
    assert found(client, "lap-0042") == f"/devices/{DEVICE}/?account={account.id}"
    assert found(client, DEVICE) == f"/devices/{DEVICE}/?account={account.id}"
    assert found(client, "inc-88") == f"/history/?account={account.id}&ticket=inc-88"
    for word in (str(command.id), command.remote_id, UUID(command.remote_id).hex.upper()):
        assert found(client, word) == f"/commands/{command.id}/"


def test_a_search_that_finds_several_lists_them_and_one_that_finds_nothing_says_so(
    client: Client, command: Command
) -> None:
    other = make_account("Other")
    make_device(other, device_id="another", name="lap-0042")
    words = page(client, "/search/", q="LAP-0042")
    assert f"/devices/{DEVICE}/" in words
    assert "/devices/another/" in words
    assert "Acme" in words
    assert "Nothing here is called “&lt;x&gt;”." in page(client, "/search/", q="<x>")
    assert "What are you looking for?" in page(client, "/search/")


def test_the_beginning_of_a_name_finds_who_the_desk_would_find_and_a_whole_word_goes_first(
    client: Client, command: Command
) -> None:
    for number, email in enumerate(("kaya.lind@example.com", "kaya.lind@example.com", "ole.kaya@example.com")):
        make_device(command.account, device_id=f"k{number}", name=f"LAP-9{number}", email=email)
    words = page(client, "/search/", q="Kaya", account=str(command.account_id))
    links = re.findall(r'class="main" href="([^"?]*)', words)
    people = ["/people/kaya.lind@example.com/", "/people/ole.kaya@example.com/"]
    assert sorted(links) == ["/devices/k0/", "/devices/k1/", "/devices/k2/", *people]
    assert client.get("/search/", {"q": "LAP-90"}).status_code == 302


def test_a_search_finds_nothing_that_a_click_would_refuse(client: Client, command: Command) -> None:
    other = make_account("Other")
    make_group("runners", account=command.account, run=True, see_contents=True)
    make_group("watchers", account=other, see=True)
    client.force_login(make_person("ole", "runners", "watchers"))
    for word in ("mia@example.com", "LAP-0042", DEVICE, "INC-88", str(command.id), command.remote_id):
        answer = client.get("/search/", {"q": word, "account": str(other.id)})
        assert answer.status_code == 200
        assert "Nothing here is called" in answer.content.decode()


@pytest.mark.parametrize("word", ["mia@example.com", "LAP-0042", "INC-88", DEVICE, "nothing"])
def test_a_search_takes_eight_queries(client: Client, command: Command, word: str) -> None:
    assert command.requested_by
    trouble(command.account, command.requested_by)
    with CaptureQueriesContext(connection) as captured:
        client.get("/search/", {"q": word})
    assert len(captured) <= 8


def test_an_import_that_turned_out_to_be_ours_leads_to_the_command_that_it_is(client: Client, command: Command) -> None:
    now = timezone.now()
    facts: dict[str, Any] = {"kind": "pcap", "device_id": DEVICE, "started_elsewhere": True, "status": Status.SUCCESS}
    import_ = Command.objects.create(
        id=uuid4(), account=command.account, requested_at=now, status_at=now, merged_into=command, **facts
    )
    assert found(client, str(import_.id)) == f"/commands/{command.id}/"
