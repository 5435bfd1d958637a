"""Layout of every page: banners of parts that are down, freshness of the listing, quota and accounts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from commands import clock
from commands.actions.administration import heartbeats
from commands.actions.administration.accounts import retire_account
from commands.models import Account, AccountSync, Heartbeat, User
from commands.rules.ids import new_id
from commands.wakeup import backoff
from tests.html import Page
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


BANNER = "[data-testid=banner]"


def banner_titles(client: Client, address: str = "/") -> list[str]:
    return Page.of(client.get(address)).texts(f"{BANNER} strong")


def test_portal_without_problems_shows_no_banner(desk: Client, alive: None) -> None:
    assert banner_titles(desk) == []


def test_each_part_that_is_down_has_its_banner(desk: Client, alive: None) -> None:
    Heartbeat.objects.filter(role=Heartbeat.Role.TALK).update(seen_at=timezone.now() - timedelta(hours=1))
    assert banner_titles(desk) == ["The Cloudflare worker is down."]
    assert banner_titles(desk, "/frame") == ["The Cloudflare worker is down."]
    Heartbeat.objects.all().delete()
    assert len(banner_titles(desk)) == 3
    assert all("Last seen: never" in banner for banner in Page.of(desk.get("/")).texts(BANNER))


def test_banner_of_the_scheduler_tells_what_still_works(desk: Client, alive: None) -> None:
    Heartbeat.objects.filter(role=Heartbeat.Role.BEAT).update(seen_at=timezone.now() - timedelta(hours=1))
    assert banner_titles(desk) == ["The scheduler (beat) is down."]
    banner = Page.of(desk.get("/")).text(BANNER)
    assert "New commands still go out" in banner
    assert "so this page may be out of date" in banner


def test_broker_that_is_down_is_reported_instead_of_the_workers(desk: Client, alive: None) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    Heartbeat.objects.exclude(role=Heartbeat.Role.BEAT).update(seen_at=long_ago)
    assert banner_titles(desk) == ["Message queue unavailable."]
    assert "Commands are kept and go out later" in Page.of(desk.get("/")).text(BANNER)


def test_web_process_that_cannot_wake_workers_has_a_banner(desk: Client, alive: None) -> None:
    backoff.begin()
    assert banner_titles(desk) == ["Message queue unavailable."]
    assert "a few seconds later" in Page.of(desk.get("/")).text(BANNER)
    backoff.end()
    assert banner_titles(desk) == []


def test_wrong_clock_of_the_web_process_makes_no_worker_look_down(
    desk: Client, alive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(minutes=5))
    assert banner_titles(desk) == []


def test_paused_listing_is_shown_with_its_reason(desk: Client, account: Account, alive: None) -> None:
    now = timezone.now()
    AccountSync.objects.filter(account=account).update(listed_at=now - timedelta(minutes=9))
    make_pause(account, "list", http_status=503)
    page = Page.of(desk.get("/"))
    assert "Cloudflare failed. Cloudflare's message: “No.”. (HTTP 503)" in page.text(BANNER)
    assert "Not synced" in page.text("#status .fresh.tone-failed")


@pytest.mark.parametrize(("due_since", "tone"), [(timedelta(seconds=5), "done"), (timedelta(minutes=5), "waiting")])
def test_listing_is_shown_as_late_only_after_a_while(
    desk: Client, account: Account, alive: None, due_since: timedelta, tone: str
) -> None:
    now = timezone.now()
    AccountSync.objects.filter(account=account).update(listed_at=now - timedelta(minutes=9), due_at=now - due_since)
    assert Page.of(desk.get("/frame")).one("#status .fresh")["class"] == f"fresh tone-{tone}"


def test_quota_warns_when_it_is_nearly_used_up(desk: Client, account: Account) -> None:
    AccountSync.objects.filter(account=account).update(quota_used=37, quota_total=200)
    page = Page.of(desk.get("/frame"))
    assert page.text(".quota-words") == "37 of 200"
    assert not page.select("meter.is-low")
    AccountSync.objects.filter(account=account).update(quota_used=190)
    assert Page.of(desk.get("/frame")).one("meter.is-low")["value"] == "190"


def test_quota_links_to_the_commands_of_its_day(desk: Client, account: Account, helpdesk: User) -> None:
    reset = timezone.now() + timedelta(hours=1)
    AccountSync.objects.filter(account=account).update(quota_used=1, quota_total=200, quota_reset_at=reset)
    now = timezone.now()
    today, _ = (make_command(make_run(account, helpdesk), id=new_id(at)) for at in (now, now - timedelta(days=3)))
    history = Page.of(desk.get(Page.of(desk.get("/")).one("a.quota")["href"]))
    assert [row["id"] for row in history.select("[data-testid=row]")] == [f"row-{today.id}"]


def test_person_with_several_accounts_can_switch_between_them(desk: Client, account: Account) -> None:
    menu = "[aria-label=Accounts]"
    assert not Page.of(desk.get("/")).select(menu)
    other = make_account("Zeta")
    address = Page.of(desk.get("/")).one(f'{menu} a[href="/?account={other.id}"]')["href"]
    assert Page.of(desk.get(address)).text(f"{menu} [aria-current=true]") == "Zeta"


def test_retired_account_keeps_its_pages_and_has_a_banner(desk: Client, account: Account) -> None:
    make_account("Zeta")
    retire_account(account, now=timezone.now())
    assert "This account is inactive." in banner_titles(desk, f"/?account={account.id}")
    assert not Page.of(desk.get("/")).select(f'[name=account][value="{account.id}"]')


def test_pages_are_never_cached_and_have_a_content_security_policy(desk: Client) -> None:
    answer = desk.get("/")
    assert "no-store" in answer["Cache-Control"]
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert not Page.of(answer).inline_code()
