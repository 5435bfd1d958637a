"""Pages of a person, a device and a run, the search that opens them, and the withdrawal of unsent commands."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, Command, Device, Event, Run, User
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_account, make_group, make_person
from tests.rows import make_command, make_device, make_run, trouble
from tests.web.lists import row_ids

pytestmark = pytest.mark.django_db

DEVICE = "00000000-0000-4000-8000-0000000000aa"


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


def get_page(client: Client, path: str, **query: str) -> Page:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content[:300]
    return Page.of(answer)


def links(page: Page) -> list[str]:
    return [link["href"] for link in page.select("main a")]


def message_after_withdrawal(client: Client, run: Run) -> str:
    answer = client.post(f"/runs/{run.id}/withdraw")
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{run.id}/")
    return get_page(client, answer["Location"]).text("main > [role=status]")


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        get_page(client, path)
    return len(captured)


# --- A person, a device


def test_page_of_a_person_has_devices_commands_and_a_link_to_run_one(client: Client, command: Command) -> None:
    page = get_page(client, "/people/Mia@example.com/")
    assert row_ids(page) == [str(command.id)]
    device = page.one(".machine")
    assert device.text("a.main") == "LAP-0042"
    assert device.one("a.main")["href"].startswith(f"/devices/{DEVICE}/")
    assert device.text(".chip") == "Connected"
    assert any("who=mia%40example.com" in link for link in links(page))


def test_link_to_run_a_command_names_only_the_person_if_they_have_several_devices(
    client: Client, command: Command, device: Device
) -> None:
    make_device(device.account, email="mia@example.com", name="MBP-0007")
    link = get_page(client, "/people/mia@example.com/").one(".head-operations .button-accent")
    assert link.text() == "Run a command"
    assert "who=mia%40example.com" in link["href"]


def test_rows_do_not_repeat_what_the_page_is_about(client: Client, command: Command, run: Run) -> None:
    heads = {
        "/people/mia@example.com/": ["Status", "Device", "Command", "Requested by", "Ticket", "Result"],
        f"/devices/{DEVICE}/": ["Status", "Person", "Command", "Requested by", "Ticket", "Result"],
        f"/runs/{run.id}/": ["Status", "Person and device", "Command", "Result"],
    }
    for path, expected in heads.items():
        page = get_page(client, path)
        assert page.texts("th:not(.w-select)") == expected
        row = page.text("#rows")
        assert ("mia@example.com" in row) is ("people" not in path)
        assert ("LAP-0042" in row) is ("devices" not in path)


def test_page_of_a_device_shows_all_its_registrations(client: Client, command: Command, device: Device) -> None:
    make_device(device.account, device_id=DEVICE, registration_id="r-2", email="max@example.com", name="LAP-0042")
    page = get_page(client, f"/devices/{DEVICE.upper()}/")
    assert row_ids(page) == [str(command.id)]
    assert set(page.texts(".machine a.main")) == {"max@example.com", "mia@example.com"}
    assert any(f"who={DEVICE}%2C+max%40example.com%2C+r-2" in link for link in links(page))


def test_ineligible_device_shows_cloudflares_reason(client: Client, device: Device) -> None:
    client.force_login(make_person("hans", "helpdesk"))
    Device.objects.update(eligible=False, ineligible_reason="The client is too old.")
    page = get_page(client, f"/devices/{DEVICE}/")
    assert page.text(".machine-state") == "Not supported The client is too old."
    assert page.text("#row-none .none-title") == "No commands on this device."


@pytest.mark.parametrize("path", ["/people/mia@example.com/", f"/devices/{DEVICE}/"])
def test_count_of_open_commands_links_to_them(client: Client, command: Command, path: str) -> None:
    facts = {"device_id": command.device_id, "email": command.email}
    waiting = make_command(make_run(command.account, command.requested_by), Status.QUEUED, **facts)  # type: ignore[arg-type]
    page = get_page(client, path)
    assert row_ids(page) == [str(waiting.id), str(command.id)]
    addresses = {chip.text(): chip["href"] for chip in page.select("#filters a")}
    assert row_ids(get_page(client, addresses["Open 1"])) == [str(waiting.id)]
    assert row_ids(get_page(client, path, group="open")) == [str(waiting.id)]
    assert row_ids(get_page(client, path, group="done")) == [str(command.id)]
    assert get_page(client, path, group="failed").text("#row-none .none-title") == "No commands have this status."
    assert row_ids(get_page(client, path, group="nonsense")) == [str(waiting.id), str(command.id)]


@pytest.mark.parametrize("path", ["/people/mia@example.com/", f"/devices/{DEVICE}/"])
def test_person_without_the_right_to_run_has_no_link_to_run(client: Client, command: Command, path: str) -> None:
    client.force_login(make_person("mona", "manager"))
    assert not any("who=" in link for link in links(get_page(client, path)))


def test_device_that_cloudflare_no_longer_lists_keeps_its_commands(
    client: Client, command: Command, device: Device
) -> None:
    device.delete()
    for path in ("/people/mia@example.com/", f"/devices/{DEVICE}/"):
        page = get_page(client, path)
        assert row_ids(page) == [str(command.id)]
        assert "No devices listed by Cloudflare at the moment." in page.text("section[aria-labelledby=devices-title]")


def test_person_or_device_of_another_account_is_not_found(client: Client, command: Command) -> None:
    other = make_account("Other")
    for path in ("/people/nobody@example.com/", f"/devices/{uuid4()}/"):
        assert client.get(path).status_code == 404
    for path in ("/people/mia@example.com/", f"/devices/{DEVICE}/"):
        assert client.get(path, {"account": str(other.id)}).status_code == 404


@pytest.mark.parametrize("path", ["/people/mia@example.com/", f"/devices/{DEVICE}/", "run"])
def test_page_takes_eight_queries_for_any_number_of_rows(client: Client, command: Command, path: str) -> None:
    path = f"/runs/{command.run_id}/" if path == "run" else path
    before = queries_of(client, path)
    assert command.run
    for number in range(4):
        make_device(command.account, device_id=DEVICE, registration_id=f"r-{number}x", email=command.email)
        make_command(command.run, Status.EXPIRED, device_id=DEVICE, email=command.email)
    assert queries_of(client, path) == before <= 8


# --- A run


def test_run_shows_its_request_and_counts_commands_by_status(client: Client, command: Command, run: Run) -> None:
    make_command(run, Status.QUEUED)
    page = get_page(client, f"/runs/{run.id}/")
    assert "Packet capture and WARP diag" in page.text("h1")
    request = page.text("section[aria-labelledby=requested-title]")
    for expected in ("No connection", "INC-88", "She calls", "2 min"):
        assert expected in request, expected
    assert page.text("#counted") == "1 of 2 finished"
    assert "Queued 1" in page.texts("#filters a")
    assert len(row_ids(page)) == 2
    assert row_ids(get_page(client, f"/runs/{run.id}/", status="SUCCESS")) == [str(command.id)]
    nothing = get_page(client, f"/runs/{run.id}/", status="FAILED").text("#row-none .none-title")
    assert nothing == "No commands have this status any more."


def test_poll_of_a_run_brings_rows_counters_and_progress(client: Client, command: Command, run: Run) -> None:
    part = Page.of(client.get(f"/runs/{run.id}/", {"token": "old"}, headers={"HX-Request": "true"}))
    assert "<html" not in part.html
    assert part.text("#counted") == "1 of 1 finished"
    assert part.one("#filters").select("a")
    assert row_ids(part) == [str(command.id)]
    part = Page.of(client.get(f"/runs/{run.id}/", {"status": "SUCCESS"}, headers={"HX-Request": "true"}))
    assert row_ids(part) == [str(command.id)]
    assert part.one("section")["id"] == "commands"
    assert "<html" not in part.html


def test_withdrawal_of_a_run_names_the_withdrawn_commands(
    client: Client, command: Command, run: Run, hilde: User
) -> None:
    waiting = make_command(run, Status.QUEUED, device_name="LAP-1")
    assert get_page(client, f"/runs/{run.id}/").select(f"form[action='/runs/{run.id}/withdraw']")
    assert "Withdrawn: LAP-1." in message_after_withdrawal(client, run)
    waiting.refresh_from_db()
    assert (waiting.status, command.status) == (Status.WITHDRAWN, Status.SUCCESS)
    event = Event.objects.get(command=waiting)
    assert (event.by, event.to_status) == (hilde, Status.WITHDRAWN)
    assert "Everything has already been sent." in message_after_withdrawal(client, run)


def test_disabled_button_tells_a_person_without_the_right_to_run_why(client: Client, run: Run) -> None:
    make_command(run, Status.QUEUED)
    client.force_login(make_person("mona", "manager"))
    page = get_page(client, f"/runs/{run.id}/")
    assert not page.select("form[action$='/withdraw']")
    assert page.one(".head-operations button[disabled]")["title"] == "You don't have the right to run commands."
    assert client.post(f"/runs/{run.id}/withdraw").status_code == 403


# --- The search


def search_redirect(client: Client, text: str) -> str:
    """Return where a search leads, or '' if it shows a page of its own."""
    answer = client.get("/search/", {"q": text})
    return answer.headers.get("Location", "")


def test_search_with_a_single_match_opens_it(client: Client, command: Command, account: Account) -> None:
    assert search_redirect(client, " MIA@example.com") == f"/people/mia@example.com/?account={account.id}"
    assert search_redirect(client, "lap-0042") == f"/devices/{DEVICE}/?account={account.id}"
    assert search_redirect(client, DEVICE) == f"/devices/{DEVICE}/?account={account.id}"
    assert search_redirect(client, "inc-88") == f"/history/?account={account.id}&ticket=inc-88"
    for word in (str(command.id), command.remote_id, UUID(command.remote_id).hex.upper()):
        assert search_redirect(client, word) == f"/commands/{command.id}/"


def test_search_lists_several_matches_and_reports_no_match(client: Client, command: Command) -> None:
    other = make_account("Other")
    make_device(other, device_id="another", name="lap-0042")
    page = get_page(client, "/search/", q="LAP-0042")
    assert paths_of_matches(page) == [f"/devices/{DEVICE}/", "/devices/another/"]
    assert any("Acme" in match for match in page.texts(".machine"))
    assert get_page(client, "/search/", q="<x>").text(".none-title") == "No results for “<x>”."
    assert get_page(client, "/search/").text(".none-title") == "What are you looking for?"


def paths_of_matches(page: Page) -> list[str]:
    return sorted(link["href"].partition("?")[0] for link in page.select(".machine a.main"))


def test_search_finds_the_beginning_of_a_name_but_prefers_a_complete_name(client: Client, command: Command) -> None:
    for number, email in enumerate(("kaya.lind@example.com", "kaya.lind@example.com", "ole.kaya@example.com")):
        make_device(command.account, device_id=f"k{number}", name=f"LAP-9{number}", email=email)
    page = get_page(client, "/search/", q="Kaya", account=str(command.account_id))
    people = ["/people/kaya.lind@example.com/", "/people/ole.kaya@example.com/"]
    assert paths_of_matches(page) == ["/devices/k0/", "/devices/k1/", "/devices/k2/", *people]
    assert client.get("/search/", {"q": "LAP-90"}).status_code == 302


def test_search_finds_only_what_the_person_may_open(client: Client, command: Command) -> None:
    other = make_account("Other")
    make_group("runners", account=command.account, run=True, see_contents=True)
    make_group("watchers", account=other, see=True)
    client.force_login(make_person("ole", "runners", "watchers"))
    for word in ("mia@example.com", "LAP-0042", DEVICE, "INC-88", str(command.id), command.remote_id):
        answer = client.get("/search/", {"q": word, "account": str(other.id)})
        assert answer.status_code == 200
        assert "No results for" in Page.of(answer).text(".none-title")


@pytest.mark.parametrize("word", ["mia@example.com", "LAP-0042", "INC-88", DEVICE, "nothing"])
def test_search_takes_eight_queries(client: Client, command: Command, word: str) -> None:
    assert command.requested_by
    trouble(command.account, command.requested_by)
    with CaptureQueriesContext(connection) as captured:
        client.get("/search/", {"q": word})
    assert len(captured) <= 8


def test_search_for_a_merged_import_opens_the_command(client: Client, command: Command) -> None:
    now = timezone.now()
    facts: dict[str, Any] = {"kind": "pcap", "device_id": DEVICE, "started_elsewhere": True, "status": Status.SUCCESS}
    import_ = Command.objects.create(
        id=uuid4(), account=command.account, requested_at=now, status_at=now, merged_into=command, **facts
    )
    assert search_redirect(client, str(import_.id)) == f"/commands/{command.id}/"
