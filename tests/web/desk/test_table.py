"""List of commands on the desk: its polling, filters, rows and links, and the number of queries of each page."""

from datetime import timedelta

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
from tests.html import Page
from tests.people import make_group, make_person
from tests.rows import make_artifact, make_command, make_event, make_run, trouble
from tests.web.conftest import SignIn
from tests.web.desk.request_form import HTMX
from tests.web.lists import row_ids

pytestmark = pytest.mark.django_db

BUDGET = 8


def desk_page(client: Client, query: str = "") -> Page:
    return Page.of(client.get(f"/{query}"))


def poll_url(page: Page) -> str:
    url = page.one("#poll")["hx-get"]
    assert "token=" in url
    return url


def test_poll_with_the_current_token_has_no_content(desk: Client, command: Command) -> None:
    answer = desk.get(poll_url(desk_page(desk)), headers=HTMX)
    assert answer.status_code == 204
    assert not answer.content


def test_poll_after_a_change_brings_rows_and_a_new_token(desk: Client, command: Command) -> None:
    url = poll_url(desk_page(desk))
    now = timezone.now()
    with change_statuses(by=PORTAL, now=now) as changes:
        changes.write([Transition(command.id, Status.EXPIRED, CommandReasonCode.NOT_SENT_IN_TIME)])
    answer = desk.get(url, headers=HTMX)
    assert answer.status_code == 200
    part = Page.of(answer)
    assert "It could not be sent in time." in part.text(f"#row-{command.id}")
    assert "<html" not in part.html
    assert desk.get(poll_url(part), headers=HTMX).status_code == 204


def test_poll_brings_rows_after_a_change_of_rights(desk: Client, helpdesk: User, account: Account) -> None:
    url = poll_url(desk_page(desk))
    helpdesk.groups.add(make_group("more", account=account, see=True))
    assert desk.get(url, headers=HTMX).status_code == 200


def test_page_polls_every_3_s_while_a_command_is_open_and_every_30_s_otherwise(desk: Client, command: Command) -> None:
    assert desk_page(desk).one("#poll")["hx-trigger"] == "every 3s, refresh-now from:body"
    Command.objects.filter(id=command.id).update(status=Status.WITHDRAWN)
    assert desk_page(desk).one("#poll")["hx-trigger"] == "every 30s, refresh-now from:body"


def test_list_shows_own_commands_of_a_week_unless_other_filters_are_chosen(
    desk: Client, account: Account, command: Command
) -> None:
    long_ago = timezone.now() - timedelta(days=20)
    colleague = make_run(account, make_person("carl", "helpdesk"))
    make_command(colleague, Status.FAILED, email="of-a-colleague@example.com", kind="warp-diag")
    make_command(command.run or colleague, Status.WITHDRAWN, id=new_id(long_ago), email="long-ago@example.com")
    shown = {
        "": ["maria"],
        "requested_by=mine&days=all": ["maria", "long-ago"],
        "requested_by=everyone": ["of-a-colleague", "maria"],
        "requested_by=everyone&kind=warp-diag": ["of-a-colleague"],
        "requested_by=everyone&group=open": ["maria"],
        "requested_by=everyone&group=failed": ["of-a-colleague"],
        "requested_by=nonsense&group=x&kind=y&days=z&before=w": ["maria"],
    }
    for query, people in shown.items():
        page = Page.of(desk.get(f"/commands/table?{query}"))
        assert page.texts("#rows .c-who .main") == [f"{name}@example.com" for name in people], query


def test_empty_list_tells_what_to_do(desk: Client, account: Account, sign_in: SignIn) -> None:
    def empty_list(client: Client) -> str:
        return desk_page(client).text("#row-none")

    assert empty_list(desk).startswith("No commands yet. Choose who, what and why, then Run.")
    assert empty_list(sign_in(make_person("mona", "manager"))).endswith("New commands show up here.")
    make_command(make_run(account, make_person("carl", "helpdesk")))
    assert empty_list(desk).startswith("No commands match.")


def test_each_count_links_to_the_commands_that_it_counts(desk: Client, account: Account, helpdesk: User) -> None:
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
    chips = [chip for chip in desk_page(desk).select("#filters a") if chip.select(".count")]
    assert [chip.text() for chip in chips] == [f"{label} {len(statuses)}" for label, statuses in expected.items()]
    for chip, statuses in zip(chips, expected.values(), strict=True):
        listed = row_ids(Page.of(desk.get(chip["href"])))
        assert {Command.objects.get(id=row).status for row in listed} == statuses, chip.text()
        assert len(listed) == len(statuses), chip.text()


def test_group_without_commands_is_hidden_unless_it_is_selected(desk: Client, command: Command) -> None:
    assert "Failed 0" in desk_page(desk).texts("#filters a")
    assert "In doubt" not in desk_page(desk).text("#filters")
    assert "In doubt" in desk_page(desk, "?group=doubt").text("#filters")


def test_filter_by_own_commands_is_offered_only_with_the_right_to_run(sign_in: SignIn, account: Account) -> None:
    client = sign_in(make_person("mona", "manager"))
    assert "Mine" not in desk_page(client).texts(".scope a")
    assert "Mine" in desk_page(client, "?requested_by=mine").texts(".scope a")


def test_person_device_and_ticket_of_a_row_are_links(desk: Client, command: Command) -> None:
    row = desk_page(desk).one(f"#row-{command.id}")
    for address in (
        f"/people/{command.email}/",
        f"/devices/{command.device_id}/",
        "/history/",
    ):
        page = Page.of(desk.get(row.one(f"a[href^='{address}']")["href"]))
        assert row_ids(page) == [str(command.id)]
    assert row.one("[data-testid=open]")["href"] == f"/commands/{command.id}/"


@pytest.mark.parametrize(
    ("reason_code", "message", "shown"),
    [
        ("rejected", "No such device", "No such device"),
        ("rejected", "", "Cloudflare rejected the request."),
        ("error_in_200", "", "Cloudflare reported an error, but with a status of success."),
    ],
)
def test_row_shows_cloudflares_message_or_else_the_reason(
    desk: Client, account: Account, helpdesk: User, reason_code: str, message: str, shown: str
) -> None:
    values = {"reason_code": reason_code, "remote_message": message}
    command = make_command(make_run(account, helpdesk), Status.REJECTED, **values)
    result = desk_page(desk).one(f"#row-{command.id} .c-result [title]")
    assert (result.text(), result["title"]) == (shown, shown)
    assert shown in Page.of(desk.get(f"/commands/{command.id}/")).text(".lead-words")


def test_older_page_continues_without_a_gap_or_a_repeated_row(desk: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    for number in range(60):
        make_command(run, Status.WITHDRAWN, email=f"p{number}@example.com")
    newest = desk_page(desk)
    older = Page.of(desk.get(newest.one("[rel=next]")["href"]))
    people = [*newest.texts("#rows .c-who .main"), *older.texts("#rows .c-who .main")]
    assert people == [f"p{number}@example.com" for number in reversed(range(60))]


def test_row_shows_status_person_command_requester_and_file(desk: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    values = {"email": "maria@example.com", "device_name": "LAP-0042", "platform": "mac"}
    command = make_command(run, Status.SUCCESS, options={"time-limit-min": 5, "packet-size-bytes": 160}, **values)
    make_artifact(command, "stored", size=14_200_000, sha256="f" * 64, stored_at=timezone.now())
    row = desk_page(desk).one(f"#row-{command.id}")
    assert row.text("[data-testid=status]") == "Done"
    assert row.text(".c-who") == "maria@example.com LAP-0042 · macOS"
    assert row.text(".c-what") == "Packet capture 5 min · 160 bytes"
    assert row.text(".c-requester .main") == "you"
    download = row.one("[data-testid=download]")
    assert download["title"].replace("\xa0", " ") == "14.2 MB"
    assert download["href"] == f"/commands/{command.id}/download"


def test_person_without_the_right_to_see_contents_has_no_download_link(account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    make_artifact(command, "stored", size=1000, sha256="f" * 64, stored_at=timezone.now())
    client = Client()
    client.force_login(make_person("ada", "auditor"))
    for address in ("/?requested_by=everyone", f"/commands/{command.id}/"):
        page = Page.of(client.get(address))
        assert "1 kB" in page.text("main")
        assert not page.select("[href$='/download']")


def make_finished_commands(account: Account, person: User, count: int) -> Command:
    """Create commands with a file and events, and return the last one, which has an event for each command."""
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
def test_page_takes_eight_queries_for_any_number_of_rows(
    desk: Client, account: Account, helpdesk: User, address: str, troubled: bool
) -> None:
    if troubled:
        trouble(account, helpdesk)
    counts = []
    for more in (1, 20):
        command = make_finished_commands(account, helpdesk, more)
        artifact_storage().save(command.artifact.storage_name, ContentFile(b"zip"))
        with CaptureQueriesContext(connection) as queries:
            answer = desk.get(address.format(id=command.id, run=command.run_id))
            assert answer.status_code == 200
            _ = answer.getvalue()
        # A download writes its Event in a transaction. The statements that open and end it do not count.
        counts.append(sum("SAVEPOINT" not in query["sql"] for query in queries))
    assert counts[0] == counts[1] <= BUDGET
