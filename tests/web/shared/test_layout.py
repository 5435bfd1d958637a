"""The frame of every page says what is away, how fresh the listing is and what is left of the quota."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from commands import clock
from commands.actions.administration import heartbeats
from commands.actions.administration.accounts import retire_account
from commands.models import Account, AccountSync, Heartbeat, User
from commands.rules.ids import new_id
from commands.wakeup import backoff
from tests.html import on_one_line
from tests.people import make_account
from tests.rows import make_command, make_pause, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_failed_lately() -> Iterator[None]:
    backoff.end()
    yield
    backoff.end()


@pytest.fixture
def alive() -> None:
    heartbeats.beat(*Heartbeat.Role, now=clock.database_now())


def titles(client: Client, address: str = "/") -> list[str]:
    return re.findall(r'class="banner[^>]*>.*?<strong>([^<]*)</strong>', on_one_line(client.get(address).text))


def test_with_everything_alive_there_is_no_banner(desk: Client, alive: None) -> None:
    assert titles(desk) == []


def test_each_part_that_is_away_has_its_banner(desk: Client, alive: None) -> None:
    Heartbeat.objects.filter(role=Heartbeat.Role.TALK).update(seen_at=timezone.now() - timedelta(hours=1))
    assert titles(desk) == ["The Cloudflare worker is down."]
    assert titles(desk, "/frame") == ["The Cloudflare worker is down."]
    Heartbeat.objects.all().delete()
    assert len(titles(desk)) == 3
    assert desk.get("/").text.count("Last seen: never") == 3


def test_without_beat_it_is_said_that_what_is_asked_for_goes_out_and_that_nothing_is_listed(
    desk: Client, alive: None
) -> None:
    Heartbeat.objects.filter(role=Heartbeat.Role.BEAT).update(seen_at=timezone.now() - timedelta(hours=1))
    assert titles(desk) == ["The scheduler (beat) is down."]
    text = desk.get("/").text
    assert "New commands still go out" in text
    assert "so this page may be out of date" in text


def test_a_broker_that_takes_nothing_from_beat_is_away_and_no_worker_is_accused(desk: Client, alive: None) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    Heartbeat.objects.exclude(role=Heartbeat.Role.BEAT).update(seen_at=long_ago)
    assert titles(desk) == ["Message queue unavailable."]
    assert "Commands are kept and go out later" in desk.get("/").text


def test_while_wakes_fail_here_it_is_said_that_beat_finds_what_is_asked_for(desk: Client, alive: None) -> None:
    backoff.begin()
    assert titles(desk) == ["Message queue unavailable."]
    assert "a few seconds later" in desk.get("/").text
    backoff.end()
    assert titles(desk) == []


def test_a_clock_of_the_web_process_that_is_wrong_kills_nobody(
    desk: Client, alive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(minutes=5))
    assert titles(desk) == []


def test_a_listing_that_rests_is_told_with_the_reason_and_the_last_good_one(
    desk: Client, account: Account, alive: None
) -> None:
    now = timezone.now()
    AccountSync.objects.filter(account=account).update(listed_at=now - timedelta(minutes=9))
    make_pause(account, "list", http_status=503)
    text = desk.get("/").text
    assert "Cloudflare failed. Cloudflare&#x27;s message: “No.”. (HTTP 503)" in text
    assert "tone-failed" in text
    assert "Not synced" in text


@pytest.mark.parametrize(("due_since", "tone"), [(timedelta(seconds=5), "done"), (timedelta(minutes=5), "waiting")])
def test_a_due_listing_that_is_late_is_told(
    desk: Client, account: Account, alive: None, due_since: timedelta, tone: str
) -> None:
    now = timezone.now()
    AccountSync.objects.filter(account=account).update(listed_at=now - timedelta(minutes=9), due_at=now - due_since)
    assert f'class="fresh tone-{tone}"' in desk.get("/frame").text


def test_the_quota_is_told_and_warns_when_it_is_nearly_used_up(desk: Client, account: Account) -> None:
    AccountSync.objects.filter(account=account).update(quota_used=37, quota_total=200)
    text = desk.get("/frame").text
    assert "37 of 200" in text
    assert "is-low" not in text
    AccountSync.objects.filter(account=account).update(quota_used=190)
    assert "is-low" in desk.get("/frame").text


def test_the_quota_leads_to_the_commands_of_its_day(desk: Client, account: Account, helpdesk: User) -> None:
    reset = timezone.now() + timedelta(hours=1)
    AccountSync.objects.filter(account=account).update(quota_used=1, quota_total=200, quota_reset_at=reset)
    now = timezone.now()
    today, before = (make_command(make_run(account, helpdesk), id=new_id(at)) for at in (now, now - timedelta(days=3)))
    found = re.search(r'<a href="([^"]*)" class="quota"', on_one_line(desk.get("/").text))
    assert found
    listed = desk.get(unescape(found[1])).text
    assert f"row-{today.id}" in listed
    assert f"row-{before.id}" not in listed


def test_who_may_work_in_several_accounts_can_switch(desk: Client, account: Account) -> None:
    assert 'aria-label="Accounts"' not in desk.get("/").text
    other = make_account("Zeta")
    text = desk.get("/").text
    assert f'href="/?account={other.id}"' in text
    assert "Zeta" in desk.get(f"/?account={other.id}").text.split("</summary>")[0]


def test_a_retired_account_keeps_its_pages_and_says_so(desk: Client, account: Account) -> None:
    make_account("Zeta")
    retire_account(account, now=timezone.now())
    assert "This account is inactive." in desk.get(f"/?account={account.id}").text
    assert f'name="account" value="{account.id}"' not in desk.get("/").text


def test_every_page_is_kept_by_nobody_and_tells_browsers_the_policy(desk: Client) -> None:
    answer = desk.get("/")
    assert "no-store" in answer["Cache-Control"]
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
