"""The quota that a page shows: as Cloudflare told it, and what was sent since."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from commands.models import AccountSync
from tests.people import make_account, make_person
from tests.rows import make_command, make_dispatch, make_run

pytestmark = pytest.mark.django_db


def test_what_was_sent_since_the_quota_was_read_counts(client: Client) -> None:
    account, person = make_account("Acme"), make_person("maya", "helpdesk")
    now = timezone.now()
    AccountSync.objects.filter(account=account).update(quota_total=200, quota_used=37, quota_read_at=now)
    run = make_run(account, person)
    for minutes in (-1, 1, 2):
        at = now + timedelta(minutes=minutes)
        sent = make_dispatch(account, claimed_at=at, ended_at=at)
        make_command(run, "PENDING_EXEC", dispatch=sent, device_id=f"machine-{minutes}", remote_id=f"remote-{minutes}")
    client.force_login(person)
    assert "39 of 200" in client.get("/").content.decode()
    client.force_login(make_person("ada", "admin"))
    status = client.get("/status/").content.decode()
    assert ("39 of 200 today" in status, "37 of 200" in status) == (True, False)


def test_yesterdays_figures_are_none_of_today(client: Client) -> None:
    account = make_account("Acme")
    now = timezone.now()
    read = {"quota_total": 200, "quota_used": 198, "quota_read_at": now, "quota_reset_at": now + timedelta(hours=1)}
    AccountSync.objects.filter(account=account).update(**read)
    client.force_login(make_person("ada", "admin"))
    assert "198 of 200" in client.get("/").content.decode()
    AccountSync.objects.update(quota_reset_at=now - timedelta(seconds=1))
    assert "198 of 200" not in client.get("/").content.decode()
    status = " ".join(client.get("/status/").content.decode().split())
    assert ("198 of 200" in status, "<dt>Quota</dt> <dd>unknown</dd>" in status) == (False, True)
