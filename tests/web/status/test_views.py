"""Status page: access, problems with advice, banners and the number of queries."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, AccountSync, Command, Heartbeat, Pause, User
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_account, make_credential, make_group, make_person
from tests.rows import (
    make_artifact,
    make_command,
    make_dispatch,
    make_notification,
    make_pause,
    make_run,
    rate_limit,
    trouble,
)
from tests.web.conftest import SignIn
from tests.web.lists import row_ids

pytestmark = pytest.mark.django_db

URL = "/status/"
ACCOUNT, CHIP, PAUSE = "[data-testid=account]", "[data-testid=account] .panel-head .chip", "[data-testid=pause]"
PROCESSES, DOUBTFUL = "section[aria-labelledby=processes-title]", "[data-testid=doubtful-command]"


@pytest.fixture
def admin(account: Account) -> User:
    return make_person("ada", "admin")


@pytest.fixture
def client(admin: User, sign_in: SignIn) -> Client:
    return sign_in(admin)


def _pause(account: Account, operation: str = "create", **values: Any) -> Pause:
    return make_pause(account, operation, **{"since": timezone.now() - timedelta(minutes=3), "code": 10000} | values)


def status_page(client: Client) -> Page:
    return Page.of(client.get(URL))


def banners(client: Client, address: str = "/") -> str:
    """Return the texts of all banners."""
    return Page.of(client.get(address)).text("#banners")


# --- Who ---


def test_signed_out_person_is_redirected_to_sign_in(account: Account) -> None:
    assert Client().get(URL).headers["Location"].endswith("?next=%2Fstatus%2F")


@pytest.mark.parametrize("group", ["helpdesk", "manager", "auditor"])
def test_person_without_the_right_gets_403(account: Account, sign_in: SignIn, group: str) -> None:
    client = sign_in(make_person("hanna", group))
    response = client.get(URL)
    assert response.status_code == 403
    assert "not an administrator of any account" in Page.of(response).text("main")
    assert not Page.of(client.get("/")).select(f"a[href='{URL}']")


def test_menu_of_an_administrator_has_the_status_page(client: Client) -> None:
    assert Page.of(client.get("/")).text(f"header a[href='{URL}']") == "Status"


def test_administrator_of_one_account_sees_only_that_account(account: Account, sign_in: SignIn) -> None:
    make_account("Other")
    person = make_person("otto")
    person.groups.add(make_group("owners", account=account, administer=True))
    page = status_page(sign_in(person))
    assert page.texts(f"{ACCOUNT} h3") == ["Acme"]
    assert "Other" not in page.html


def test_administrator_without_the_right_to_see_gets_counts_only(
    account: Account, sign_in: SignIn, helpdesk: User
) -> None:
    command = make_command(make_run(account, helpdesk), Status.UNCERTAIN, device_name="LAP-0042")
    person = make_person("otto")
    person.groups.add(make_group("owners", account=account, administer=True))
    page = status_page(sign_in(person))
    assert page.text("[data-testid=doubtful]") == "1"
    for hidden in ("/history/", "LAP-0042", str(command.id)):
        assert hidden not in page.html


# --- What ---


def test_account_without_problems_shows_quota_and_calls(client: Client, account: Account) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now, complete_at=now, quota_total=200, quota_used=37)
    page = status_page(client)
    assert page.text(CHIP) == "OK"
    for fact in ("37 of 200 today", "about 550", "Credential of Acme"):
        assert fact in page.text(f"{ACCOUNT} .facts")


def test_refusal_is_shown_with_cloudflares_message_and_advice(client: Client, account: Account) -> None:
    make_notification(_pause(account, refused=True), sent_at=timezone.now())
    page = status_page(client)
    assert page.text(CHIP) == "Refused"
    for expected in (
        "Sending commands paused",
        "Cloudflare refused the account or the credential. Cloudflare's message: “No.”. (code 10000)",
        "Check the token",
        "were notified by email",
        "Next attempt",
    ):
        assert expected in page.text(PAUSE)


def test_unusable_credential_is_not_blamed_on_cloudflare(client: Client, account: Account, helpdesk: User) -> None:
    make_command(make_run(account, helpdesk), Status.QUEUED)
    _pause(account, refused=True, reason_code="cannot_decrypt")
    _pause(account, "download", refused=True, reason_code="cannot_decrypt")
    no_credential = "No working credential for this account."
    status = status_page(client).text("main")
    for expected in ("No usable credential", "Enter it again", "Changing the credential or account retries at once"):
        assert expected in status
    shown = banners(client)
    assert shown.count(no_credential) == 1
    assert "1 command is waiting to be sent." in shown
    assert "Cloudflare refuses" not in status + shown
    assert "Check the token" not in status
    _pause(account, "list", refused=True)
    shown = banners(client)
    assert no_credential in shown
    assert "Cloudflare refuses listing commands." in shown
    assert shown.count("waiting to be sent.") == 1


def test_refusal_without_recipients_has_a_warning_until_somebody_is_notified(client: Client, account: Account) -> None:
    nobody_notified = "No administrator of this account has an email address, so no one was notified."
    pause = _pause(account, refused=True)
    _pause(account, "list")
    assert nobody_notified not in status_page(client).text(ACCOUNT)
    User.objects.update(email="")
    text = status_page(client).text(ACCOUNT)
    assert (text.count(nobody_notified), "were notified" in text) == (1, False)
    make_notification(pause, sent_at=timezone.now())
    assert nobody_notified not in status_page(client).text(ACCOUNT)


def test_expiring_results_are_counted_while_downloads_are_paused(
    client: Client, account: Account, helpdesk: User
) -> None:
    now, run = timezone.now(), make_run(account, helpdesk)
    for hours in (-1, 23, 25):
        command = make_command(run, Status.SUCCESS)
        make_artifact(command, deleted_remotely_at=now + timedelta(hours=hours))
    warning = "will be deleted by Cloudflare within 24 hours."
    _pause(account, "list", refused=True)
    assert warning not in status_page(client).text("main")
    _pause(account, "download")
    _pause(make_account("Other"), "download")
    text = status_page(client).text("main")
    assert f"1 result not downloaded yet {warning}" in text
    assert text.count(warning) == 1
    make_artifact(make_command(run, Status.SUCCESS), deleted_remotely_at=now + timedelta(hours=2))
    assert f"2 results not downloaded yet {warning}" in status_page(client).text("main")


def test_each_state_of_an_account_has_its_chip(client: Client, account: Account) -> None:
    assert status_page(client).text(CHIP) == "Not synced yet"
    now = timezone.now()
    AccountSync.objects.update(listed_at=now, due_at=now - timedelta(minutes=5))
    assert status_page(client).text(CHIP) == "Overdue"
    rate_limit()
    page = status_page(client)
    assert page.text(CHIP) == "Rate-limited"
    assert page.text(PAUSE).startswith("All calls with this credential paused")
    _pause(account, "list")
    assert status_page(client).text(CHIP) == "Problem"


def test_commands_with_unknown_outcome_are_listed_with_advice(client: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    make_command(run, Status.UNCERTAIN, reason_code="no_answer")
    old = timezone.now() - timedelta(days=8)
    make_command(run, Status.UNCONFIRMED, status_at=old, device_name="FORGOTTEN")
    listed = make_command(run, Status.UNCONFIRMED, device_name="LAP-0042")
    page = status_page(client)
    unconfirmed, uncertain = page.select(DOUBTFUL)
    assert "No complete response from Cloudflare." in uncertain.text()
    assert "Nothing to do: we're still checking" in uncertain.text()
    assert unconfirmed.text(f"a[href='/commands/{listed.id}/']") == "Packet capture on LAP-0042"
    assert "for 7 more days at most" in unconfirmed.text()
    assert "It may still be running, until" in unconfirmed.text()
    assert "FORGOTTEN" not in page.html
    Command.objects.update(remote_created_at=timezone.now() - timedelta(days=1))
    assert "It may still be running, until" not in status_page(client).text("#doubtful")


def test_failure_is_shown_only_while_it_is_retried(client: Client, account: Account, settings: Any) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now)
    pause = _pause(account, "list", until=now - timedelta(seconds=1))
    page = status_page(client)
    assert page.text(CHIP) == "Problem"
    assert "Listing commands paused" in page.text(PAUSE)
    assert "Retrying now." in page.text(PAUSE)
    Pause.objects.filter(pk=pause.pk).update(until=now - settings.SYNC_LEASE)
    page = status_page(client)
    assert page.text(CHIP) == "OK"
    assert not page.select(PAUSE)


def test_unfinished_listing_is_overdue_after_its_lease(client: Client, account: Account) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now, due_at=None, lease_until=now + timedelta(seconds=20))
    assert status_page(client).text(CHIP) != "Overdue"
    AccountSync.objects.update(lease_until=now - timedelta(minutes=5))
    assert status_page(client).text(CHIP) == "Overdue"


def test_rate_limited_credential_has_no_calls_left(client: Client, account: Account) -> None:
    assert status_page(client).text("[data-testid=calls-left]") == "about 550"
    rate_limit()
    assert status_page(client).text("[data-testid=calls-left]") == "none right now"


def test_counts_link_to_what_they_count(client: Client, account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.QUEUED)
    make_command(make_run(account, helpdesk), Status.UNCERTAIN)
    page = status_page(client)
    queued, doubtful = page.one("[data-testid=queued] a"), page.one("[data-testid=doubtful] a")
    assert (queued.text(), queued["href"]) == ("1", f"/history/?account={account.id}&status=queued")
    assert (doubtful.text(), doubtful["href"]) == ("1", "#doubtful")
    assert row_ids(Page.of(client.get(queued["href"]))) == [str(command.id)]


def test_commands_from_before_a_restore_are_not_counted_as_queued(
    client: Client, account: Account, helpdesk: User
) -> None:
    run = make_run(account, helpdesk)
    make_command(run, Status.QUEUED)
    assert "before a restore" not in status_page(client).text("[data-testid=queued]")
    for _ in range(2):
        make_command(run, Status.QUEUED, dispatch=make_dispatch(account))
    _pause(account, "create", refused=True)
    queued = status_page(client).text("[data-testid=queued]")
    assert queued.startswith("1 plus 2 from before a restore: we're checking")
    assert "1 command is waiting to be sent." in banners(client)


def test_workers_are_not_reported_while_the_broker_is_down(client: Client) -> None:
    now = timezone.now()
    Heartbeat.objects.create(role="beat", instance="one:0", seen_at=now)
    for role in ("broker", "talk"):
        Heartbeat.objects.create(role=role, instance="one:1", seen_at=now - timedelta(hours=2))
    text = status_page(client).text(PROCESSES)
    assert "The scheduler can't reach it." in text
    assert "May be waiting for the message queue." in text
    assert "Not responding" not in text


def test_running_processes_and_the_last_of_other_roles_are_listed(client: Client) -> None:
    now = timezone.now()
    Heartbeat.objects.create(role="talk", instance="one:1", seen_at=now)
    Heartbeat.objects.create(role="talk", instance="one:2", seen_at=now - timedelta(hours=2))
    Heartbeat.objects.create(role="fetch", instance="one:3", seen_at=now - timedelta(hours=2))
    text = status_page(client).text(PROCESSES)
    assert ("one:1" in text, "one:2" in text, "one:3" in text) == (True, False, True)
    assert "never seen" in text


def test_page_takes_eight_queries_for_any_number_of_accounts(client: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    counts = []
    for number in range(3):
        other = make_account(f"Account {number}")
        make_command(run, Status.UNCERTAIN)
        trouble(other, helpdesk)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(URL).status_code == 200
        counts.append(len(captured))
    assert counts == [8, 8, 8]


# --- Banners ---


def test_refusal_is_a_banner_on_pages_of_its_account(desk: Client, account: Account) -> None:
    _pause(account, "create", refused=True)
    _pause(account, "download", refused=True, until=timezone.now() - timedelta(minutes=1))
    shown = banners(desk)
    assert "Cloudflare refuses sending commands and downloading files." in shown
    assert shown.count("(code 10000)") == 1
    assert "Commands are kept until they expire." in shown
    assert "waiting to be sent." not in shown
    other = make_account("Other")
    assert "Cloudflare refuses" not in banners(desk, f"/?account={other.id}")


def test_banner_of_a_refusal_counts_waiting_commands(desk: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    for status in (Status.QUEUED, Status.QUEUED, Status.SUCCESS):
        make_command(run, status)
    _pause(account, "list", refused=True)
    assert "waiting to be sent." not in banners(desk)
    _pause(account, "create", refused=True)
    _pause(account, "download", refused=True)
    assert "2 commands are waiting to be sent." in banners(desk)
    Command.objects.filter(status=Status.QUEUED).first().delete()  # type: ignore[union-attr]
    assert "1 command is waiting to be sent." in banners(desk)


def test_failure_is_a_banner_only_while_paused_or_retried(desk: Client, account: Account, settings: Any) -> None:
    pause = _pause(account, "list")
    assert "Problem with listing commands." in banners(desk)
    for ago, is_paused in ((timedelta(seconds=1), True), (settings.SYNC_LEASE, False)):
        Pause.objects.filter(pk=pause.pk).update(until=timezone.now() - ago)
        page = Page.of(desk.get("/"))
        assert ("Problem with" in page.text("#banners")) == is_paused
        assert ("(code 10000)" in page.text("#banners")) == is_paused
        assert "Not synced" in page.text("#status .fresh")


def test_rate_limited_credential_is_a_banner(desk: Client, account: Account) -> None:
    rate_limit()
    assert "Cloudflare is rate-limiting us." in banners(desk)


def test_banners_need_no_further_queries_and_accounts_are_listed_once(
    desk: Client, account: Account, helpdesk: User
) -> None:
    make_account("Other")
    with CaptureQueriesContext(connection) as calm:
        desk.get("/frame")
    trouble(account, helpdesk)
    with CaptureQueriesContext(connection) as troubled:
        shown = banners(desk, "/frame")
    assert (len(calm), len(troubled)) == (4, 4)
    assert "Cloudflare refuses sending commands and listing commands." in shown
    assert "Problem with listing devices and the quota and downloading files." in shown
    assert "Cloudflare is rate-limiting us." in shown
    assert "1 command needs your OK." in shown
    assert Page.of(desk.get("/")).one(f"[aria-label=Accounts] a[href='/?account={account.id}']")


def test_credential_is_named_and_its_value_never_shown(client: Client, account: Account) -> None:
    make_account("Third", credential=make_credential("Shared", value="token-that-nobody-reads"))
    page = status_page(client)
    assert "Shared" in page.texts(f"{ACCOUNT} .facts dd")
    assert "token-that-nobody-reads" not in page.html
