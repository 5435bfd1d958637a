"""Quota on a page: what Cloudflare reported, plus what was sent since."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from commands.models import AccountSync
from tests.html import Page
from tests.people import make_account, make_person
from tests.rows import make_command, make_dispatch, make_run

pytestmark = pytest.mark.django_db


def quota_in_header(client: Client) -> list[str]:
    return Page.of(client.get("/")).texts("#status .quota-words")


def quota_on_status_page(client: Client) -> str:
    account = Page.of(client.get("/status/")).one("[data-testid=account]")
    return dict(zip(account.texts("dt"), account.texts("dd"), strict=True))["Quota"]


def test_commands_sent_after_the_quota_was_read_count(client: Client) -> None:
    account, person = make_account("Acme"), make_person("maya", "helpdesk")
    now = timezone.now()
    AccountSync.objects.filter(account=account).update(quota_total=200, quota_used=37, quota_read_at=now)
    run = make_run(account, person)
    for minutes in (-1, 1, 2):
        at = now + timedelta(minutes=minutes)
        sent = make_dispatch(account, claimed_at=at, ended_at=at)
        make_command(run, "PENDING_EXEC", dispatch=sent, device_id=f"machine-{minutes}", remote_id=f"remote-{minutes}")
    client.force_login(person)
    assert quota_in_header(client) == ["39 of 200"]
    client.force_login(make_person("ada", "admin"))
    assert quota_on_status_page(client).startswith("39 of 200 today")


def test_quota_of_yesterday_is_not_shown(client: Client) -> None:
    account = make_account("Acme")
    now = timezone.now()
    read = {"quota_total": 200, "quota_used": 198, "quota_read_at": now, "quota_reset_at": now + timedelta(hours=1)}
    AccountSync.objects.filter(account=account).update(**read)
    client.force_login(make_person("ada", "admin"))
    assert quota_in_header(client) == ["198 of 200"]
    AccountSync.objects.update(quota_reset_at=now - timedelta(seconds=1))
    assert quota_in_header(client) == []
    assert quota_on_status_page(client) == "unknown"
