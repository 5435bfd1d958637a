"""The live table: what its token saves, what its filters show, and that no page costs more with more rows."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.actions.record.transitions import Transition, change_statuses
from commands.audit import PORTAL
from commands.models import Account, Command, User
from commands.rules.ids import new_id
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Status
from commands.storage import artifact_storage
from tests.html import on_one_line
from tests.people import make_group, make_person
from tests.rows import make_artifact, make_command, make_event, make_run, trouble
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
BUDGET = 8


def poll_url(text: str) -> str:
    found = re.search(r'hx-get="(/commands/table\?[^"]*token=[^"]*)"', text)
    assert found
    return unescape(found[1])


def test_a_poll_with_the_token_in_hand_says_nothing(desk: Client, command: Command) -> None:
    answer = desk.get(poll_url(desk.get("/").text), headers=HTMX)
    assert answer.status_code == 204
    assert not answer.content


def test_a_poll_after_a_change_brings_the_rows_and_the_next_token(desk: Client, command: Command) -> None:
    url = poll_url(desk.get("/").text)
    now = timezone.now()
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.write([Transition(command.id, Status.EXPIRED, CommandReasonCode.NOT_SENT_IN_TIME)])
    answer = desk.get(url, headers=HTMX)
    assert answer.status_code == 200
    assert "It could not be sent in time." in answer.text
    assert "<html" not in answer.text
    assert desk.get(poll_url(answer.text), headers=HTMX).status_code == 204


def test_a_change_of_rights_makes_the_token_old(desk: Client, helpdesk: User, account: Account) -> None:
    url = poll_url(desk.get("/").text)
    helpdesk.groups.add(make_group("more", account=account, see=True))
    assert desk.get(url, headers=HTMX).status_code == 200


def test_it_is_asked_every_3_s_while_something_is_open_and_every_30_s_otherwise(desk: Client, command: Command) -> None:
    assert 'hx-trigger="every 3s, refresh-now from:body"' in desk.get("/").text
    Command.objects.filter(id=command.id).update(status=Status.WITHDRAWN)
    assert 'hx-trigger="every 30s, refresh-now from:body"' in desk.get("/").text


def test_filters_show_mine_of_the_week_first_and_everything_on_demand(
    desk: Client, account: Account, command: Command
) -> None:
    long_ago = timezone.now() - timedelta(days=20)
    colleague = make_run(account, make_person("carl", "helpdesk"))
    make_command(colleague, Status.FAILED, email="of-a-colleague@example.com", kind="warp-diag")
    make_command(command.run or colleague, Status.WITHDRAWN, id=new_id(long_ago), email="long-ago@example.com")
    shown = {
        "": ["maria"],
        "asked=mine&days=all": ["maria", "long-ago"],
        "asked=everyone": ["of-a-colleague", "maria"],
        "asked=everyone&kind=warp-diag": ["of-a-colleague"],
        "asked=everyone&group=open": ["maria"],
        "asked=everyone&group=failed": ["of-a-colleague"],
        "asked=nonsense&group=x&kind=y&days=z&before=w": ["maria"],
    }
    for query, people in shown.items():
        text = desk.get(f"/commands/table?{query}").text
        assert re.findall(r'title="([a-z-]+)@example.com"', text) == people, query


def test_an_empty_table_says_what_to_do(desk: Client, account: Account, sign_in: SignIn) -> None:
    first_run = desk.get("/").text
    assert "No commands yet." in first_run
    assert "Choose who, what and why, then Run." in first_run
    assert "New commands show up here." in sign_in(make_person("mona", "manager")).get("/").text
    make_command(make_run(account, make_person("carl", "helpdesk")))
    assert "No commands match." in desk.get("/").text
    assert "No commands yet." not in desk.get("/").text


def test_every_count_opens_the_list_that_it_counts_and_what_failed_is_told_from_doubt_and_from_what_was_not_sent(
    desk: Client, account: Account, helpdesk: User
) -> None:
    run = make_run(account, helpdesk)
    for status in Status:
        make_command(run, status)
    expected = {
        "Open": {Status.AWAITING_APPROVAL, Status.WAITING_DEVICE, Status.QUEUED}
        | {Status.SENDING, Status.UNCERTAIN, Status.PENDING_EXEC, Status.PENDING_UPLOAD},
        "Done": {Status.SUCCESS},
        "Failed": {Status.FAILED, Status.REJECTED},
        "In doubt": {Status.UNCERTAIN, Status.UNCONFIRMED},
        "Not sent": {Status.EXPIRED, Status.WITHDRAWN, Status.DECLINED},
    }
    text = on_one_line(desk.get("/").text)
    chips = re.findall(r'<a class="filter"[^>]*href="([^"]*)"[^>]*>([\w ]+) <span class="count">(\d+)', text)
    assert [label for _, label, _ in chips] == list(expected)
    for url, label, count in chips:
        listed = desk.get(unescape(url)).text.split('<tbody id="rows">')[1].count("<tr ")
        assert listed == int(count) == len(expected[label]), label


def test_a_group_in_which_there_is_nothing_takes_no_room(desk: Client, command: Command) -> None:
    text = desk.get("/").text
    assert 'Failed <span class="count">0</span>' in text
    assert "In doubt" not in text
    assert "In doubt" in desk.get("/?group=doubt").text


def test_who_may_not_ask_is_not_offered_mine(sign_in: SignIn, account: Account) -> None:
    client = sign_in(make_person("mona", "manager"))
    assert ">Mine<" not in client.get("/").text
    assert ">Mine<" in client.get("/?asked=mine").text


def test_person_device_and_ticket_of_a_row_are_links(desk: Client, command: Command) -> None:
    row = desk.get("/").text.split('<tbody id="rows">')[1].split("</tr>")[0]
    for address in (
        f"/people/{command.email}/",
        f"/devices/{command.device_id}/",
        "/history/",
        f"/commands/{command.id}/",
    ):
        assert f'href="{address}' in row
    for link in re.findall(r'href="(/(?:people|devices|history)/[^"]*)"', row):
        assert str(command.id) in desk.get(unescape(link)).text


@pytest.mark.parametrize(
    ("reason_code", "message", "shown"),
    [
        ("rejected", "No such device", "No such device"),
        ("rejected", "", "Cloudflare rejected the request."),
        ("error_in_200", "", "Cloudflare reported an error, but with a status of success."),
    ],
)
def test_row_shows_the_reason_and_cloudflares_message_alone_where_there_is_one(
    desk: Client, account: Account, helpdesk: User, reason_code: str, message: str, shown: str
) -> None:
    values = {"reason_code": reason_code, "remote_message": message}
    command = make_command(make_run(account, helpdesk), Status.REJECTED, **values)
    assert f'<span class="said-of" title="{shown}">{shown}</span>' in desk.get("/").text
    assert shown in desk.get(f"/commands/{command.id}/").text


def test_older_rows_are_a_page_away_and_none_is_shown_twice(desk: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    for number in range(60):
        make_command(run, Status.WITHDRAWN, email=f"p{number}@example.com")
    text = desk.get("/").text
    older = re.search(r'href="([^"]*before=[^"]*)"', text)
    assert older
    rest = desk.get(unescape(older[1])).text
    people = re.findall(r"(p\d+)@example.com<", text + rest)
    assert people == [f"p{number}" for number in reversed(range(60))]


def test_the_words_of_a_row_tell_status_person_command_asker_and_file(
    desk: Client, account: Account, helpdesk: User
) -> None:
    run = make_run(account, helpdesk)
    values = {"email": "maria@example.com", "device_name": "LAP-0042", "platform": "mac"}
    command = make_command(run, Status.SUCCESS, options={"time-limit-min": 5, "packet-size-bytes": 160}, **values)
    make_artifact(command, "stored", size=14_200_000, sha256="f" * 64, stored_at=timezone.now())
    row = desk.get("/").text.split('<tbody id="rows">')[1]
    said = " ".join(re.sub("<[^>]*>", " ", row).split())
    for words in ("Done", "maria@example.com", "LAP-0042 · macOS", "Packet capture", "5 min · 160 bytes", "you"):
        assert words in said
    assert "14.2 MB" in row
    assert f"/commands/{command.id}/download" in row


def test_who_may_not_see_contents_sees_no_link_that_would_be_refused(account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    make_artifact(command, "stored", size=1000, sha256="f" * 64, stored_at=timezone.now())
    client = Client()
    client.force_login(make_person("ada", "auditor"))
    for address in ("/?asked=everyone", f"/commands/{command.id}/"):
        text = client.get(address).text
        assert "1 kB" in text
        assert "/download" not in text


def rows_everywhere(account: Account, person: User, count: int) -> Command:
    run = make_run(account, person)
    for _ in range(count):
        command = make_command(run, Status.SUCCESS, requested_by=person)
        make_event(command, 1, by=person, to_status="SUCCESS")
        make_artifact(command, "stored", size=1000, sha256="f" * 64, stored_at=timezone.now())
    for version in range(2, count + 2):
        make_event(command, version, by=person, to_status="queued")
    Command.objects.filter(id=command.id).update(version=count + 1)
    return command


PAGES = ["/", "/frame", "/commands/table", "/commands/{id}/", "/commands/{id}/download", "/runs/{run}/"]


@pytest.mark.parametrize("troubled", [False, True])
@pytest.mark.parametrize("address", PAGES)
def test_no_page_asks_more_than_its_budget_and_none_asks_more_with_more_rows(
    desk: Client, account: Account, helpdesk: User, address: str, troubled: bool
) -> None:
    if troubled:
        trouble(account, helpdesk)
    counts = []
    for more in (1, 20):
        command = rows_everywhere(account, helpdesk, more)
        artifact_storage().save(command.artifact.storage_name, ContentFile(b"zip"))
        with CaptureQueriesContext(connection) as queries:
            answer = desk.get(address.format(id=command.id, run=command.run_id))
            assert answer.status_code == 200
            _ = answer.getvalue()
        # A download writes its Event in a transaction; what opens and ends that asks for nothing.
        counts.append(sum("SAVEPOINT" not in query["sql"] for query in queries))
    assert counts[0] == counts[1] <= BUDGET
