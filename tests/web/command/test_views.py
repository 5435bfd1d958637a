"""Page of a command: what was requested, for whom and why, what happened, and its polling."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from commands.actions.record.transitions import Transition, change_statuses
from commands.audit import PORTAL
from commands.models import Account, Command, Run, User
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import Status
from tests.html import Page
from tests.rows import make_artifact, make_command, make_event, make_run

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
REQUEST, RESULT = "section[aria-labelledby=why-title]", "section[aria-labelledby=result-title]"


def command_page(client: Client, command: Command) -> Page:
    return Page.of(client.get(f"/commands/{command.id}/"))


def steps(page: Page) -> list[tuple[str, str]]:
    """Return (tone, line) of each step of the timeline."""
    return [(step["class"].removeprefix("tone-"), step.text(".main")) for step in page.select(".timeline li")]


def test_page_shows_kind_person_reason_and_requester(desk: Client, command: Command, helpdesk: User) -> None:
    make_event(command, 1, event="requested", mover="person", by=helpdesk, to_status="queued")
    page = command_page(desk, command)
    assert page.text("h1").startswith("Packet capture on LAP-0042")
    request = page.text(REQUEST)
    for expected in ("maria@example.com", "Windows", "2 min", "INC-1", "VPN slow"):
        assert expected in request
    assert "Purpose" not in request
    Run.objects.filter(commands=command).update(purpose="Cannot connect")
    assert "Purpose Cannot connect" in command_page(desk, command).text(REQUEST)
    assert ("Requested by you" in page.texts(".timeline .main"), "No file yet." in page.text(RESULT)) == (True, True)


def test_page_links_to_person_device_and_run(desk: Client, command: Command) -> None:
    page = command_page(desk, command)
    for address in (f"/people/{command.email}/", f"/devices/{command.device_id}/", f"/runs/{command.run_id}/"):
        assert desk.get(page.one(f"{REQUEST} a[href^='{address}']")["href"]).status_code == 200
    ticket = page.one(f"{REQUEST} a[href^='/history/']")
    assert (ticket.text(), ticket["href"]) == ("INC-1", f"/history/?account={command.account_id}&ticket=INC-1")


def test_timeline_shows_every_step_with_its_reason_and_duration(desk: Client, command: Command, helpdesk: User) -> None:
    begin = timezone.now() - timedelta(minutes=5)
    make_event(command, 1, event="requested", mover="person", by=helpdesk, at=begin, to_status="queued")
    make_event(command, 2, at=begin + timedelta(seconds=7), to_status="sending")
    data = {"reason_code": "rejected", "remote_message": "no such device", "http_status": 400, "match_uncertain": True}
    values = {"at": begin + timedelta(seconds=69), "mover": "cloudflare", "data": data}
    make_event(command, 3, to_status="rejected", **values)
    page = command_page(desk, command)
    assert steps(page) == [
        ("done", "Requested by you"),
        ("done", "Sent to Cloudflare"),
        ("failed", "Refused by Cloudflare"),
    ]
    _, sent, refused = page.texts(".timeline li")
    assert "after 0:07" in sent
    assert "after 1:02" in refused
    reason = "Cloudflare rejected the request. Cloudflare's message: “no such device” (HTTP 400)."
    assert refused.endswith(f"{reason} Another match was possible.")


def test_only_the_current_step_is_colored(desk: Client, account: Account, helpdesk: User) -> None:
    running = make_command(make_run(account, helpdesk), Status.PENDING_EXEC)
    for version, status in enumerate(("queued", "sending", "queued", "sending", "PENDING_EXEC"), start=1):
        event = {"event": "requested", "by": helpdesk, "mover": "person"} if version == 1 else {}
        make_event(running, version, to_status=status, **event)
    assert steps(command_page(desk, running)) == [
        ("done", "Requested by you"),
        ("done", "Sent to Cloudflare"),
        ("neutral", "Back in the queue"),
        ("done", "Sent to Cloudflare"),
        ("running", "Running on the device"),
    ]


def test_timeline_shows_upload_saved_file_and_download(desk: Client, account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    make_artifact(command, "stored", size=1, sha256="f" * 64, stored_at=timezone.now())
    make_event(command, 1, to_status="PENDING_UPLOAD", mover="cloudflare")
    make_event(command, 2, to_status="SUCCESS", mover="cloudflare")
    make_event(command, 3, event="artifact", data={"artifact_status": "stored"})
    make_event(command, 4, event="downloaded", by=helpdesk, mover="person")
    assert steps(command_page(desk, command)) == [
        ("done", "Uploading"),
        ("done", "Done"),
        ("done", "File saved"),
        ("done", "Downloaded by you"),
    ]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status.PENDING_EXEC, "No file yet."),
        (Status.FAILED, "No file: the command failed."),
        (Status.REJECTED, "No file: Cloudflare refused it."),
        (Status.EXPIRED, "No file: it was never sent."),
        (Status.UNCONFIRMED, "No file: the outcome is unknown."),
    ],
)
def test_page_tells_why_a_command_has_no_file(
    desk: Client, account: Account, helpdesk: User, status: Status, sentence: str
) -> None:
    command = make_command(make_run(account, helpdesk), status)
    assert command_page(desk, command).text(RESULT).endswith(sentence)


def test_time_of_deletion_at_cloudflare_is_shown_only_while_the_file_is_there(
    desk: Client, account: Account, helpdesk: User
) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    artifact = make_artifact(command, "stored", size=1, sha256="f" * 64, stored_at=timezone.now())
    assert "Cloudflare copy kept until" in command_page(desk, command).text(RESULT)
    for gone in ({"status": "gone"}, {"status": "stored", "deleted_remotely_at": timezone.now() - timedelta(days=1)}):
        type(artifact).objects.filter(id=artifact.id).update(**gone)
        assert "Cloudflare copy kept until" not in command_page(desk, command).text(RESULT)


def test_button_to_run_again_names_device_and_person(desk: Client, account: Account, helpdesk: User) -> None:
    values = {"device_name": "LAP-0042", "email": "maria@example.com"}
    ended = make_command(make_run(account, helpdesk), Status.FAILED, **values)
    assert command_page(desk, ended).text("#command-operations button") == "Run again on LAP-0042 (maria@example.com)"


def test_unsent_command_can_be_withdrawn_on_its_page(desk: Client, command: Command) -> None:
    assert command_page(desk, command).text("#command-operations button[value=withdraw]") == "Withdraw"
    given = {"id": str(command.id), "operation": "withdraw", "back": f"/commands/{command.id}/"}
    assert desk.post("/commands/act", given)["Location"] == f"/commands/{command.id}/"
    assert not command_page(desk, command).select("#command-operations button[value=withdraw]")


def test_file_is_shown_with_size_hash_and_link(desk: Client, account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    make_artifact(command, "stored", size=14_200_000, sha256="f" * 64, stored_at=timezone.now())
    page = command_page(desk, command)
    result = page.one(RESULT)
    name, size, digest, *_ = result.texts("dd")
    assert name == f"pcap-{command.device_id}-{command.id.hex[-6:]}.zip"
    assert size == "14.2 MB (14200000 bytes)"
    assert digest == "f" * 64
    assert page.one("#download")["href"] == f"/commands/{command.id}/download"


def test_page_tells_why_a_file_is_missing(desk: Client, account: Account, helpdesk: User) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    make_artifact(command, "refused", reason_code=ArtifactReason.CONNECTION_BROKEN)
    page = command_page(desk, command)
    assert "The file could not be downloaded from Cloudflare. The download broke off." in page.text(RESULT)
    assert not page.select("[href*='/download']")


def test_poll_has_no_content_until_something_changes(desk: Client, command: Command) -> None:
    url = command_page(desk, command).one("#command")["hx-get"]
    assert "token=" in url
    assert desk.get(url, headers=HTMX).status_code == 204
    with change_statuses(by=PORTAL, now=timezone.now()) as changes:
        changes.write([Transition(command.id, Status.EXPIRED, CommandReasonCode.NOT_SENT_IN_TIME)])
    answer = desk.get(url, headers=HTMX)
    assert answer.status_code == 200
    part = Page.of(answer)
    assert "It could not be sent in time." in part.text(".lead-words")
    assert "<html" not in part.html


def test_command_started_elsewhere_has_a_page_and_a_row(desk: Client, account: Account) -> None:
    now = timezone.now()
    values = {"id": "01234567-89ab-7def-8123-456789abcdef", "account": account, "requested_at": now, "status_at": now}
    command = Command.objects.create(
        **values, kind="quantum-leap", device_id="d", status="FAILED", started_elsewhere=True, remote_id="r"
    )
    for address in (f"/commands/{command.id}/", "/?requested_by=everyone&days=all"):
        text = Page.of(desk.get(address)).text("main")
        assert "started elsewhere" in text
        assert "quantum-leap" in text
