"""Status page: access, problems with advice, banners and the number of queries."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from commands.models import Account, AccountSync, Command, Heartbeat, Pause, User
from commands.rules.states import Status
from tests.html import on_one_line
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

pytestmark = pytest.mark.django_db

URL = "/status/"


@pytest.fixture
def admin(account: Account) -> User:
    return make_person("ada", "admin")


@pytest.fixture
def client(admin: User, sign_in: SignIn) -> Client:
    return sign_in(admin)


def _pause(account: Account, operation: str = "create", **values: Any) -> Pause:
    return make_pause(account, operation, **{"since": timezone.now() - timedelta(minutes=3), "code": 10000} | values)


# --- Who ---


def test_signed_out_person_is_redirected_to_sign_in(account: Account) -> None:
    assert Client().get(URL).headers["Location"].endswith("?next=%2Fstatus%2F")


@pytest.mark.parametrize("group", ["helpdesk", "manager", "auditor"])
def test_person_without_the_right_gets_403(account: Account, sign_in: SignIn, group: str) -> None:
    client = sign_in(make_person("hanna", group))
    response = client.get(URL)
    assert (response.status_code, "not an administrator of any account" in response.text) == (403, True)
    assert f'href="{URL}"' not in client.get("/").text


def test_menu_of_an_administrator_has_the_status_page(client: Client) -> None:
    assert f'<a href="{URL}">Status</a>' in client.get("/").text


def test_administrator_of_one_account_sees_only_that_account(account: Account, sign_in: SignIn) -> None:
    make_account("Other")
    person = make_person("otto")
    person.groups.add(make_group("owners", account=account, administer=True))
    text = sign_in(person).get(URL).text
    assert ("Acme" in text, "Other" in text) == (True, False)


def test_administrator_without_the_right_to_see_gets_counts_only(
    account: Account, sign_in: SignIn, helpdesk: User
) -> None:
    command = make_command(make_run(account, helpdesk), Status.UNCERTAIN, device_name="LAP-0042")
    person = make_person("otto")
    person.groups.add(make_group("owners", account=account, administer=True))
    text = sign_in(person).get(URL).text
    assert 'data-testid="doubtful"> 1 </dd>' in on_one_line(text)
    assert "/history/" not in text
    assert "LAP-0042" not in text
    assert str(command.id) not in text


# --- What ---


def test_account_without_problems_shows_quota_and_calls(client: Client, account: Account) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now, complete_at=now, quota_total=200, quota_used=37)
    text = client.get(URL).text
    for words in ("OK", "37 of 200 today", "about 550", "Credential of Acme"):
        assert words in text


def test_refusal_is_shown_with_cloudflares_message_and_advice(client: Client, account: Account) -> None:
    make_notification(_pause(account, refused=True), sent_at=timezone.now())
    text = client.get(URL).text
    for words in (
        "Refused",
        "Sending commands paused",
        "Cloudflare refused the account or the credential. Cloudflare&#x27;s message: “No.”. (code 10000)",
        "Check the token",
        "were notified by email",
        "Next attempt",
    ):
        assert words in text


def test_unusable_credential_is_not_blamed_on_cloudflare(client: Client, account: Account, helpdesk: User) -> None:
    make_command(make_run(account, helpdesk), Status.QUEUED)
    _pause(account, refused=True, reason_code="cannot_decrypt")
    _pause(account, "download", refused=True, reason_code="cannot_decrypt")
    told = "No working credential for this account."
    status = client.get(URL).text
    for words in ("No usable credential", "Enter it again", "Changing the credential or account retries at once"):
        assert words in status
    desk = client.get("/").text
    assert desk.count(told) == 1
    assert "1 command is waiting to be sent." in desk
    assert "Cloudflare refuses" not in status + desk
    assert "Check the token" not in status
    _pause(account, "list", refused=True)
    desk = client.get("/").text
    assert told in desk
    assert "Cloudflare refuses listing commands." in desk
    assert desk.count("waiting to be sent.") == 1


def test_refusal_without_recipients_says_so_until_somebody_is_notified(client: Client, account: Account) -> None:
    words = "No administrator of this account has an email address, so no one was notified."
    pause = _pause(account, refused=True)
    _pause(account, "list")
    assert words not in client.get(URL).text
    User.objects.update(email="")
    text = client.get(URL).text
    assert (text.count(words), "were notified" in text) == (1, False)
    make_notification(pause, sent_at=timezone.now())
    assert words not in client.get(URL).text


def test_expiring_results_are_counted_while_downloads_are_paused(
    client: Client, account: Account, helpdesk: User
) -> None:
    now, run = timezone.now(), make_run(account, helpdesk)
    for hours in (-1, 23, 25):
        command = make_command(run, Status.SUCCESS)
        make_artifact(command, deleted_remotely_at=now + timedelta(hours=hours))
    words = "will be deleted by Cloudflare"
    _pause(account, "list", refused=True)
    assert words not in on_one_line(client.get(URL).text)
    _pause(account, "download")
    _pause(make_account("Other"), "download")
    text = client.get(URL).text
    assert f"1 result not downloaded yet {words} within 24 hours." in text
    assert text.count(words) == 1
    make_artifact(make_command(run, Status.SUCCESS), deleted_remotely_at=now + timedelta(hours=2))
    assert f"2 results not downloaded yet {words} within 24 hours." in client.get(URL).text


def test_each_state_of_an_account_has_its_chip(client: Client, account: Account) -> None:
    assert "Not synced yet" in client.get(URL).text
    now = timezone.now()
    AccountSync.objects.update(listed_at=now, due_at=now - timedelta(minutes=5))
    assert "Overdue" in client.get(URL).text
    rate_limit()
    text = client.get(URL).text
    assert "Rate-limited" in text
    assert "All calls with this credential paused" in text
    _pause(account, "list")
    assert "Problem" in client.get(URL).text


def test_commands_with_unknown_outcome_are_listed_with_advice(client: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    make_command(run, Status.UNCERTAIN, reason_code="no_answer")
    old = timezone.now() - timedelta(days=8)
    make_command(run, Status.UNCONFIRMED, status_at=old, device_name="FORGOTTEN")
    listed = make_command(run, Status.UNCONFIRMED, device_name="LAP-0042")
    text = client.get(URL).text
    assert "No complete response from Cloudflare." in text
    assert "Nothing to do: we&#x27;re still checking" in text
    assert f'<a href="/commands/{listed.id}/">Packet capture on LAP-0042</a>' in text
    assert "for 7 more days at most" in text
    assert "It may still be running, until" in text
    Command.objects.update(remote_created_at=timezone.now() - timedelta(days=1))
    assert "It may still be running, until" not in client.get(URL).text
    assert "FORGOTTEN" not in text


def test_failure_is_shown_while_it_is_retried_and_no_longer(client: Client, account: Account, settings: Any) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now)
    pause = _pause(account, "list", until=now - timedelta(seconds=1))
    text = client.get(URL).text
    assert ("Problem" in text, "Listing commands paused" in text, "Retrying now." in text) == (True, True, True)
    Pause.objects.filter(pk=pause.pk).update(until=now - settings.SYNC_LEASE)
    text = client.get(URL).text
    assert ("OK" in text, "paused" in text) == (True, False)


def test_unfinished_listing_is_overdue_after_its_lease(client: Client, account: Account) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now, due_at=None, lease_until=now + timedelta(seconds=20))
    assert "Overdue" not in client.get(URL).text
    AccountSync.objects.update(lease_until=now - timedelta(minutes=5))
    assert "Overdue" in client.get(URL).text


def test_rate_limited_credential_has_no_calls_left(client: Client, account: Account) -> None:
    assert 'data-testid="calls-left">about 550</dd>' in client.get(URL).text
    rate_limit()
    assert 'data-testid="calls-left">none right now</dd>' in client.get(URL).text


def test_counts_link_to_what_they_count(client: Client, account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.QUEUED)
    make_command(make_run(account, helpdesk), Status.UNCERTAIN)
    text = on_one_line(client.get(URL).text)
    url = f"/history/?account={account.id}&amp;status=queued"
    assert f'data-testid="queued"> <a href="{url}">1</a>' in text
    assert 'data-testid="doubtful"> <a href="#doubtful">1</a>' in text
    listed = client.get(url.replace("&amp;", "&")).text
    assert re.findall(r'<tr id="row-([^"]*)"', listed) == [str(command.id)]


def test_commands_from_before_a_restore_are_not_counted_as_queued(
    client: Client, account: Account, helpdesk: User
) -> None:
    run = make_run(account, helpdesk)
    make_command(run, Status.QUEUED)
    assert "before a restore" not in client.get(URL).text
    for _ in range(2):
        make_command(run, Status.QUEUED, dispatch=make_dispatch(account))
    _pause(account, "create", refused=True)
    assert "\">1</a> plus 2 from before a restore: we're checking" in on_one_line(client.get(URL).text)
    assert "1 command is waiting to be sent." in client.get("/").text


def test_workers_are_not_reported_while_the_broker_is_down(client: Client) -> None:
    now = timezone.now()
    Heartbeat.objects.create(role="beat", instance="one:0", seen_at=now)
    for role in ("broker", "talk"):
        Heartbeat.objects.create(role=role, instance="one:1", seen_at=now - timedelta(hours=2))
    text = client.get(URL).text
    assert "The scheduler can&#x27;t reach it." in text
    assert "May be waiting for the message queue." in text
    assert "Not responding" not in text


def test_running_processes_and_the_last_of_other_roles_are_listed(client: Client) -> None:
    now = timezone.now()
    Heartbeat.objects.create(role="talk", instance="one:1", seen_at=now)
    Heartbeat.objects.create(role="talk", instance="one:2", seen_at=now - timedelta(hours=2))
    Heartbeat.objects.create(role="fetch", instance="one:3", seen_at=now - timedelta(hours=2))
    text = client.get(URL).text
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
    text = desk.get("/").text
    assert "Cloudflare refuses sending commands and downloading files." in text
    assert text.count("(code 10000)") == 1
    assert "Commands are kept until they expire." in text
    assert "waiting to be sent." not in text
    other = make_account("Other")
    assert "Cloudflare refuses" not in desk.get(f"/?account={other.id}").text


def test_banner_of_a_refusal_counts_waiting_commands(desk: Client, account: Account, helpdesk: User) -> None:
    run = make_run(account, helpdesk)
    for status in (Status.QUEUED, Status.QUEUED, Status.SUCCESS):
        make_command(run, status)
    _pause(account, "list", refused=True)
    assert "waiting to be sent." not in desk.get("/").text
    _pause(account, "create", refused=True)
    _pause(account, "download", refused=True)
    assert "2 commands are waiting to be sent." in desk.get("/").text
    Command.objects.filter(status=Status.QUEUED).first().delete()  # type: ignore[union-attr]
    assert "1 command is waiting to be sent." in desk.get("/").text


def test_failure_is_a_banner_only_while_paused_or_retried(desk: Client, account: Account, settings: Any) -> None:
    pause = _pause(account, "list")
    assert "Problem with listing commands." in desk.get("/").text
    for ago, is_away in ((timedelta(seconds=1), True), (settings.SYNC_LEASE, False)):
        Pause.objects.filter(pk=pause.pk).update(until=timezone.now() - ago)
        text = desk.get("/").text
        assert ("Problem with" in text, "Not synced" in text) == (is_away, True)
        assert ("(code 10000)" in text) == is_away


def test_rate_limited_credential_is_a_banner(desk: Client, account: Account) -> None:
    rate_limit()
    assert "Cloudflare is rate-limiting us." in desk.get("/").text


def test_banners_cost_no_query_and_list_no_account_twice(desk: Client, account: Account, helpdesk: User) -> None:
    make_account("Other")
    with CaptureQueriesContext(connection) as calm:
        desk.get("/frame")
    trouble(account, helpdesk)
    with CaptureQueriesContext(connection) as troubled:
        text = desk.get("/frame").text
    assert (len(calm), len(troubled)) == (4, 4)
    assert "Cloudflare refuses sending commands and listing commands." in text
    assert "Problem with listing devices and the quota and downloading files." in text
    assert "Cloudflare is rate-limiting us." in text
    assert "1 command needs your OK." in text
    assert desk.get("/").text.count(f'<li><a href="/?account={account.id}"') == 1


def test_credential_is_named_and_its_value_never_shown(client: Client, account: Account) -> None:
    make_account("Third", credential=make_credential("Shared", value="token-that-nobody-reads"))
    text = client.get(URL).text
    assert "Shared" in text
    assert "token-that-nobody-reads" not in text
