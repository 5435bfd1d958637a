"""Metrics for Prometheus, and access to them."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families as parse

from commands.models import Account, AccountSync, CallBudget, Heartbeat
from commands.queries import metrics
from commands.rules.states import OPEN, ArtifactStatus, Status
from tests.people import make_account, make_person
from tests.rows import make_artifact, make_command, make_dispatch, make_pause, make_run

pytestmark = pytest.mark.django_db

PRODUCTION = Path(__file__).resolve().parents[3] / "docs" / "production.md"


@pytest.fixture
def account() -> Account:
    return make_account(cloudflare_id="acme")


def _scrape() -> dict[tuple[str, ...], float]:
    """Return the samples of a scrape, by name and label values."""
    response = Client().get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [sample for family in parse(response.text) for sample in family.samples]
    return {(sample.name.removeprefix("dexportal_"), *sample.labels.values()): sample.value for sample in samples}


def test_open_commands_are_counted_by_status_including_zero(account: Account) -> None:
    run = make_run(account, make_person("hanna"))
    for status in (Status.QUEUED, Status.QUEUED, Status.UNCERTAIN, Status.SUCCESS):
        make_command(run, status, requested_at=timezone.now() - timedelta(minutes=5))
    samples = _scrape()
    assert samples["commands_open", "acme", "queued"] == 2
    assert samples["commands_open", "acme", "uncertain"] == 1
    assert {key[2] for key in samples if key[0] == "commands_open"} == {status.value for status in OPEN}
    assert timedelta(minutes=5) <= timedelta(seconds=samples["oldest_unsent_seconds", "acme"]) < timedelta(hours=3)


def test_held_and_barred_commands_do_not_count_as_oldest_unsent(account: Account) -> None:
    run, now = make_run(account, make_person("hanna")), timezone.now()
    make_command(run, Status.QUEUED, requested_at=now - timedelta(minutes=5))
    make_command(run, Status.QUEUED, requested_at=now - timedelta(hours=3), held_at=now)
    make_command(run, Status.QUEUED, requested_at=now - timedelta(hours=4), dispatch=make_dispatch(account))
    samples = _scrape()
    assert timedelta(minutes=5) <= timedelta(seconds=samples["oldest_unsent_seconds", "acme"]) < timedelta(hours=3)
    assert samples["commands_held", "acme"] == 1
    assert samples["commands_open", "acme", "queued"] == 3


def test_wanted_and_expiring_results_are_counted(account: Account) -> None:
    run, now = make_run(account, make_person("hanna")), timezone.now()
    other = make_account("Other", cloudflare_id="other")
    assert (_scrape()["artifacts_wanted", "acme"], _scrape()["artifacts_deleted_soon", "acme"]) == (0, 0)
    for hours in (-1, 23, 25):
        make_artifact(make_command(run, Status.SUCCESS), deleted_remotely_at=now + timedelta(hours=hours))
    make_artifact(make_command(run, Status.SUCCESS), ArtifactStatus.GONE, deleted_remotely_at=now + timedelta(hours=1))
    samples = _scrape()
    assert (samples["artifacts_wanted", "acme"], samples["artifacts_deleted_soon", "acme"]) == (3, 1)
    assert samples["artifacts_wanted", other.cloudflare_id] == 0


def test_outcomes_and_durations_cover_the_last_day(account: Account) -> None:
    run = make_run(account, make_person("hanna"))
    now = timezone.now()
    for seconds in (30, 90):
        make_command(run, Status.SUCCESS, requested_at=now - timedelta(seconds=seconds), status_at=now)
    make_command(run, Status.FAILED, kind="warp-diag", requested_at=now, status_at=now)
    samples = _scrape()
    assert samples["outcomes_last_day", "acme", "pcap", "SUCCESS"] == 2
    assert samples["outcomes_last_day_duration_seconds_mean", "acme", "pcap", "SUCCESS"] == pytest.approx(60)
    assert samples["outcomes_last_day", "acme", "warp-diag", "FAILED"] == 1


def test_commands_started_elsewhere_do_not_count_as_outcomes(account: Account) -> None:
    run = make_run(account, make_person("hanna"))
    make_command(run, Status.SUCCESS)
    make_command(run, Status.SUCCESS, run=None, requested_by=None, started_elsewhere=True)
    assert _scrape()["outcomes_last_day", "acme", "pcap", "SUCCESS"] == 1


def test_rate_limited_credential_is_throttled_without_calls_left(account: Account) -> None:
    now = timezone.now()
    CallBudget.objects.update(calls_left=12, list_calls_left=3, counted_at=now, paused_until=now - timedelta(seconds=1))
    samples = _scrape()
    assert (samples["throttled", "acme"], samples["calls_left", "acme"] >= 12) == (0, True)
    CallBudget.objects.update(paused_until=now + timedelta(minutes=2))
    samples = _scrape()
    assert (samples["throttled", "acme"], samples["calls_left", "acme"]) == (1, 0)


def test_listing_in_progress_is_late_from_the_end_of_its_lease(account: Account) -> None:
    now = timezone.now()
    for seconds, late in ((30, 0), (-90, 90)):
        AccountSync.objects.update(due_at=None, lease_until=now + timedelta(seconds=seconds))
        assert _scrape()["sync_late_seconds", "acme"] == pytest.approx(late, abs=10)


def test_account_has_sync_calls_quota_and_pauses(account: Account, settings: Any) -> None:
    now = timezone.now()
    AccountSync.objects.update(
        listed_at=now - timedelta(seconds=40), due_at=now - timedelta(seconds=35), quota_read_at=now
    )
    AccountSync.objects.update(quota_total=200, quota_used=37)
    CallBudget.objects.update(calls_left=12, list_calls_left=3, counted_at=now)
    make_pause(account, "create", until=now + timedelta(minutes=1), since=now, refused=True)
    Heartbeat.objects.create(role="talk", instance="a:1", seen_at=now - timedelta(hours=1))
    Heartbeat.objects.create(role="talk", instance="a:2", seen_at=now - timedelta(seconds=7))
    make_pause(account, "list", until=now, since=now, refused=True)
    over = now - settings.SYNC_LEASE
    make_pause(account, "download", until=over, since=over)
    make_pause(account, "directory", until=now, since=now)
    samples = _scrape()
    assert samples["paused", "acme", "list", "true"] == 1
    assert samples["paused", "acme", "directory", "false"] == 1
    assert ("paused", "acme", "download", "false") not in samples
    assert samples["sync_age_seconds", "acme"] == pytest.approx(40, abs=10)
    assert samples["sync_late_seconds", "acme"] == pytest.approx(35, abs=10)
    assert 12 <= samples["calls_left", "acme"] < 60
    assert samples["quota_left", "acme"] == 163
    assert samples["paused", "acme", "create", "true"] == 1
    assert samples["heartbeat_age_seconds", "talk"] == pytest.approx(7, abs=5)


def test_quota_left_counts_commands_sent_after_it_was_read(account: Account) -> None:
    run, now = make_run(account, make_person("hanna")), timezone.now()
    read = {"quota_total": 200, "quota_used": 37, "quota_read_at": now - timedelta(minutes=4)}
    AccountSync.objects.update(**read, quota_reset_at=now + timedelta(hours=1))
    make_command(run, Status.PENDING_EXEC, dispatch=make_dispatch(account))
    assert _scrape()["quota_left", "acme"] == 162
    AccountSync.objects.update(quota_reset_at=now)
    assert ("quota_left", "acme") not in _scrape()


def test_every_role_is_reported_even_if_never_seen(account: Account, settings: Any) -> None:
    now = timezone.now()
    Heartbeat.objects.create(role="beat", instance="a:1", seen_at=now - settings.HEARTBEAT_LATE)
    Heartbeat.objects.create(role="talk", instance="a:2", seen_at=now - timedelta(hours=1))
    Heartbeat.objects.create(role="talk", instance="a:3", seen_at=now)
    samples = _scrape()
    alive = {role: samples.get(("alive", role)) for role in Heartbeat.Role}
    assert alive == {"beat": 0, "broker": 0, "talk": 1, "fetch": 0}
    assert ("heartbeat_age_seconds", "fetch") not in samples


def test_account_that_was_never_synced_has_no_age(account: Account) -> None:
    samples = _scrape()
    assert ("sync_age_seconds", "acme") not in samples
    assert ("quota_left", "acme") not in samples


@pytest.mark.parametrize("accounts", [1, 6])
def test_scrape_takes_five_queries_for_any_amount_of_data(account: Account, accounts: int) -> None:
    run = make_run(account, make_person("hanna"))
    for number in range(accounts):
        make_account(f"Account {number}")
        make_command(run, Status.QUEUED)
    with CaptureQueriesContext(connection) as captured:
        _scrape()
    assert len(captured) == metrics.QUERIES == 5


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_token(address: str) -> None:
    assert Client().get("/metrics", REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3"])
def test_no_address_stands_for_a_token_in_production(settings: Any, address: str) -> None:
    settings.PRODUCTION = True
    for token in ("", "a-long-token"):
        settings.METRICS_TOKEN = token
        assert Client().get("/metrics", REMOTE_ADDR=address).status_code == 401


@pytest.mark.parametrize(
    "address", ["203.0.113.9", "10.1.2.3", "192.168.7.7", "2001:db8::1", "fd00::7", "", "nonsense"]
)
def test_other_machine_needs_a_token(address: str) -> None:
    response = Client().get("/metrics", REMOTE_ADDR=address)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert "dexportal_" not in response.text


def test_client_behind_a_trusted_proxy_counts_by_its_own_address(settings: Any) -> None:
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8"))
    client = Client()
    for hop in ("203.0.113.9", "203.0.113.9:4711", "unknown", "nonsense", "127.0.0.1:x"):
        assert client.get("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR=hop).status_code == 401
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="::1").status_code == 200


@pytest.mark.parametrize(
    ("token", "header", "status"),
    [
        ("a-long-token", "Bearer a-long-token", 200),
        ("a-long-token", "bearer  a-long-token", 200),
        ("a-long-token", "Bearer another", 401),
        ("a-long-token", "Basic a-long-token", 401),
        ("a-long-token", "a-long-token", 401),
        ("a-long-token", "", 401),
        ("", "Bearer ", 401),
        ("", "Bearer x", 401),
    ],
)
def test_token_is_accepted_from_any_address(settings: Any, token: str, header: str, status: int) -> None:
    settings.METRICS_TOKEN = token
    assert Client().get("/metrics", HTTP_AUTHORIZATION=header, REMOTE_ADDR="203.0.113.9").status_code == status


def test_metrics_accept_only_safe_methods() -> None:
    assert Client().post("/metrics").status_code == 405


def test_every_documented_alert_has_its_metric(account: Account) -> None:
    now = timezone.now()
    AccountSync.objects.update(listed_at=now)
    make_pause(account, "list", until=now + timedelta(minutes=1), since=now)
    exported = {f"dexportal_{key[0]}" for key in _scrape()}
    documented = set(re.findall(r"dexportal_\w+", PRODUCTION.read_text()))
    assert len(documented) >= 8
    assert documented <= exported


def test_alert_on_old_listings_waits_longer_than_an_idle_account(settings: Any) -> None:
    [limit] = re.findall(r"dexportal_sync_age_seconds > (\d+)", PRODUCTION.read_text())
    assert float(limit) > settings.LISTING_INTERVAL_IDLE.total_seconds() + settings.SYNC_LATE.total_seconds()
