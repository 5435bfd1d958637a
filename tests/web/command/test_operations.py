"""Send now and run again, on the page of a command and in lists, and why a command failed."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from commands.models import Account, Command, User
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_person
from tests.rows import make_command, make_run
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def command_page(client: Client, command: Command) -> Page:
    return Page.of(client.get(f"/commands/{command.id}/"))


# --- Send now, run again ---


@pytest.fixture
def held(command: Command) -> Command:
    Command.objects.filter(id=command.id).update(held_at=timezone.now(), reason_code="held_after_pause")
    command.refresh_from_db()
    return command


def test_held_command_has_a_send_now_button(desk: Client, held: Command) -> None:
    Command.objects.update(requested_by=held.requested_by)
    for address in ("/?requested_by=everyone", f"/commands/{held.id}/"):
        page = Page.of(desk.get(address))
        assert page.text(f"form[action='/commands/{held.id}/send-now']") == "Send now"
        assert "Sending was paused for a long time" in page.text("main")
    assert "1 command needs your OK." in Page.of(desk.get("/")).texts("[data-testid=banner] strong")


def test_send_now_releases_the_command_once_and_returns_to_it(desk: Client, held: Command) -> None:
    response = desk.post(f"/commands/{held.id}/send-now")
    assert (response.status_code, response.headers["Location"]) == (303, f"/commands/{held.id}/")
    held.refresh_from_db()
    assert (held.held_at, held.reason_code) == (None, "")
    assert desk.post(f"/commands/{held.id}/send-now").status_code == 303
    assert held.events.count() == 1
    assert not command_page(desk, held).select("form[action$='/send-now']")


def test_send_now_by_htmx_stays_on_the_page_and_polls(desk: Client, held: Command) -> None:
    response = desk.post(f"/commands/{held.id}/send-now", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Trigger"]) == (204, "refresh-now")


def test_person_without_the_right_to_run_cannot_send_now_or_run_again(
    account: Account, held: Command, sign_in: SignIn
) -> None:
    client = sign_in(make_person("max", "manager"))
    assert not command_page(client, held).select("form[action$='/send-now']")
    for act in ("send-now", "run-again"):
        assert client.post(f"/commands/{held.id}/{act}").status_code == 403
    stranger = sign_in(make_person("otto"))
    assert stranger.post(f"/commands/{held.id}/send-now").status_code == 404
    held.refresh_from_db()
    assert held.held_at is not None


def test_finished_command_is_run_again_once_with_the_same_options(
    desk: Client, account: Account, helpdesk: User
) -> None:
    values = {"email": "maria@example.com", "device_name": "LAP-0042", "ticket": "INC-1", "platform": "mac"}
    old = make_command(
        make_run(account, helpdesk, reason="slow"), Status.FAILED, options={"time-limit-min": 2}, **values
    )
    key = command_page(desk, old).one("#command-operations [name=key]")["value"]
    first = desk.post(f"/commands/{old.id}/run-again", {"key": key})
    second = desk.post(f"/commands/{old.id}/run-again", {"key": key})
    assert first.status_code == 303
    assert first.headers["Location"] == second.headers["Location"] != f"/commands/{old.id}/"
    (new,) = Command.objects.exclude(id=old.id)
    assert (new.status, new.device_id, new.options, new.ticket) == (
        "queued",
        old.device_id,
        {"time-limit-min": 2},
        "INC-1",
    )
    assert new.run is not None
    assert (new.run.reason, new.requested_by) == ("slow", helpdesk)


def test_page_tells_that_an_unconfirmed_command_may_still_be_running(
    desk: Client, account: Account, helpdesk: User
) -> None:
    old = make_command(make_run(account, helpdesk), Status.UNCONFIRMED, remote_id="", remote_created_at=timezone.now())
    assert "The earlier one may still be running, until" in command_page(desk, old).text("#again-warning")
    Command.objects.update(remote_created_at=timezone.now() - timedelta(days=1))
    assert "over by now" in command_page(desk, old).text("#again-warning")


def test_open_command_is_not_run_again(desk: Client, command: Command) -> None:
    assert not command_page(desk, command).select("form[action$='/run-again']")
    response = desk.post(f"/commands/{command.id}/run-again", {"key": "broken"})
    assert response.status_code == 400
    assert desk.post(f"/commands/{command.id}/run-again").status_code == 403


# --- Why it failed ---


def test_cause_of_failure_is_shown_in_table_and_page(desk: Client, account: Account, helpdesk: User) -> None:
    end = timezone.now()
    times = {"remote_created_at": end - timedelta(minutes=10), "remote_completed_at": end}
    command = make_command(make_run(account, helpdesk), Status.FAILED, options={"time-limit-min": 2}, **times)
    sentence = "Likely: the device was not connected to Cloudflare for 10 minutes."
    assert sentence in Page.of(desk.get("/")).text("#rows")
    assert command_page(desk, command).texts(".cause") == [sentence]


def test_other_capture_on_the_same_windows_machine_is_a_cause(desk: Client, account: Account, helpdesk: User) -> None:
    born = timezone.now() - timedelta(minutes=2)
    machine = {"device_id": "d1", "platform": "windows"}
    make_command(
        make_run(account, helpdesk), Status.SUCCESS, remote_created_at=born, remote_completed_at=None, **machine
    )
    later = {"remote_created_at": born + timedelta(seconds=30), "remote_completed_at": born + timedelta(seconds=33)}
    failed = make_command(make_run(account, helpdesk), Status.FAILED, **later, **machine)
    sentence = "Likely: another capture was running on this Windows device"
    assert sentence in Page.of(desk.get("/")).text(f"#row-{failed.id}")
    assert sentence in command_page(desk, failed).texts(".cause")[0]
