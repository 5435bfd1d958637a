"""A command's page tells what was asked, for whom, why, what happened, and stays up to date."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from commands.actions.moves import change
from commands.audit import PORTAL
from commands.models import Account, Command, Run, User
from commands.states import Status
from tests.rows import a_command, a_run, an_artifact, an_event

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def test_it_tells_what_for_whom_why_and_by_whom(desk: Client, command: Command, helpdesk: User) -> None:
    an_event(command, 1, event="asked", mover="person", by=helpdesk, to_status="queued")
    text = desk.get(f"/commands/{command.id}/").text
    for words in ("Packet capture on LAP-0042", "maria@example.com", "Windows", "2 min", "INC-1", "VPN slow"):
        assert words in text
    assert "Purpose" not in text
    Run.objects.filter(commands=command).update(purpose="Cannot connect")
    assert "Cannot connect" in desk.get(f"/commands/{command.id}/").text
    assert "Asked for" in text
    assert "There is no file yet." in text


def test_it_leads_to_the_person_the_device_and_the_run(desk: Client, command: Command) -> None:
    shown = desk.get(f"/commands/{command.id}/").content.decode()
    for address in (f"/people/{command.email}/", f"/devices/{command.device_id}/", f"/runs/{command.run_id}/"):
        assert f'href="{address}' in shown
        assert desk.get(address, {"account": str(command.account_id)}).status_code == 200


def test_the_timeline_tells_every_step_with_its_cause_and_how_long_it_took(
    desk: Client, command: Command, helpdesk: User
) -> None:
    begin = timezone.now() - timedelta(minutes=5)
    an_event(command, 1, event="asked", mover="person", by=helpdesk, at=begin, to_status="queued")
    an_event(command, 2, at=begin + timedelta(seconds=7), to_status="sending")
    data = {"because": "HTTP 400: no such device", "likely": True}
    values = {"at": begin + timedelta(seconds=69), "mover": "cloudflare", "data": data}
    an_event(command, 3, to_status="rejected", **values)
    text = desk.get(f"/commands/{command.id}/").text
    steps = re.findall(r'<span class="main">(\w[\w ]*) <span class="muted">(\w+)</span>', text)
    assert steps == [("Asked for", "you"), ("Sending", "dexportal"), ("Rejected", "Cloudflare")]
    assert "after 0:07" in text
    assert "after 1:02" in text
    assert "HTTP 400: no such device Likely" in text


def test_its_file_is_told_with_size_hash_and_link(desk: Client, account: Account, helpdesk: User) -> None:
    command = a_command(a_run(account, helpdesk), Status.SUCCESS)
    an_artifact(command, "stored", size=14_200_000, sha256="f" * 64, stored_at=timezone.now())
    text = desk.get(f"/commands/{command.id}/").text
    for words in ("14.2 MB", "(14200000 bytes)", "f" * 64, f"/commands/{command.id}/download"):
        assert words in text


def test_a_file_that_is_not_here_says_why(desk: Client, account: Account, helpdesk: User) -> None:
    command = a_command(a_run(account, helpdesk), Status.SUCCESS)
    an_artifact(command, "refused", words="The connection broke three times.")
    text = desk.get(f"/commands/{command.id}/").text
    assert "The file could not be fetched from Cloudflare. The connection broke three times." in text
    assert "/download" not in text


def test_a_poll_is_silent_until_something_happens(desk: Client, command: Command) -> None:
    text = desk.get(f"/commands/{command.id}/").text
    found = re.search(r'hx-get="(/commands/[^"]*token=[^"]*)"', text)
    assert found
    url = unescape(found[1])
    assert desk.get(url, headers=HTMX).status_code == 204
    with change(by=PORTAL, now=timezone.now()) as changes:
        changes.move([command.id], to=Status.EXPIRED, because="Nobody was there.")
    answer = desk.get(url, headers=HTMX)
    assert answer.status_code == 200
    assert "Nobody was there." in answer.text
    assert "<html" not in answer.text


def test_a_command_that_somebody_started_elsewhere_has_a_page_too(desk: Client, account: Account) -> None:
    now = timezone.now()
    values = {"id": "01234567-89ab-7def-8123-456789abcdef", "account": account, "asked_at": now, "status_at": now}
    command = Command.objects.create(
        **values, kind="quantum-leap", device_id="d", status="FAILED", started_elsewhere=True, remote_id="r"
    )
    for address in (f"/commands/{command.id}/", "/?asked=everyone&days=all"):
        text = desk.get(address).text
        assert "started elsewhere" in text
        assert "quantum-leap" in text
