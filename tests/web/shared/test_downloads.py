"""Download of a command's file: its headers, its event, and the limit on downloads at a time."""

import hashlib
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone

from commands.models import Account, Artifact, Event, User
from commands.rules.states import Status
from commands.storage import artifact_storage
from tests.html import Page
from tests.rows import make_artifact, make_command, make_run

pytestmark = pytest.mark.django_db

CONTENT = b"PK-as-if" * 50_000


def end(answer: Any) -> None:
    """End a browser's request, but keep the transaction of the test, as the test client does."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


@pytest.fixture
def artifact(account: Account, helpdesk: User) -> Artifact:
    run = make_run(account, helpdesk)
    command = make_command(run, Status.SUCCESS, device_name="LAP-0042", email="maria@example.com", version=1)
    digest = hashlib.sha256(CONTENT).hexdigest()
    values = {"size": len(CONTENT), "sha256": digest, "stored_at": timezone.now()}
    artifact = make_artifact(command, "stored", **values)
    artifact_storage().save(artifact.storage_name, ContentFile(CONTENT))
    return artifact


def address(artifact: Artifact) -> str:
    return f"/commands/{artifact.command_id}/download"


def test_file_is_a_complete_attachment_that_is_never_cached(desk: Client, artifact: Artifact) -> None:
    answer = desk.get(address(artifact))
    assert answer.getvalue() == CONTENT
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Length"] == str(len(CONTENT))
    assert answer["Content-Disposition"].startswith('attachment; filename="pcap-LAP-0042-')
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_event_is_written_before_the_first_byte(desk: Client, helpdesk: User, artifact: Artifact) -> None:
    answer = desk.get(address(artifact))
    event = Event.objects.get(event="downloaded")
    assert (event.by, event.command_id) == (helpdesk, artifact.command_id)
    assert event.data == {"artifact": str(artifact.id), "size": artifact.size, "sha256": artifact.sha256}
    end(answer)


def test_download_fails_if_its_event_cannot_be_written(
    desk: Client, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("commands.audit.write", broken)
    desk.raise_request_exception = False
    for _ in range(settings.STREAMS + 1):  # a failed download does not count against the limit
        assert desk.get(address(artifact)).status_code == 500
    assert not Event.objects.filter(event="downloaded").exists()


def test_download_over_the_limit_is_refused_with_a_time_to_retry(desk: Client, artifact: Artifact) -> None:
    running = [desk.get(address(artifact)) for _ in range(settings.STREAMS)]
    refused = desk.get(address(artifact))
    assert refused.status_code == 503
    assert refused["Retry-After"] == "15"
    assert f"Too many downloads right now ({settings.STREAMS})" in Page.of(refused).text("main")
    assert Event.objects.filter(event="downloaded").count() == settings.STREAMS
    for answer in running:
        end(answer)
    answer = desk.get(address(artifact))
    assert answer.getvalue() == CONTENT


def test_aborted_download_no_longer_counts_against_the_limit(desk: Client, artifact: Artifact) -> None:
    for _ in range(settings.STREAMS + 1):
        answer = desk.get(address(artifact))
        assert answer.status_code == 200
        end(answer)


@pytest.mark.parametrize("status", ["wanted", "gone", "refused", "too_large"])
def test_command_without_a_file_has_no_download(desk: Client, account: Account, helpdesk: User, status: str) -> None:
    command = make_command(make_run(account, helpdesk), Status.SUCCESS)
    make_artifact(command, status)
    assert desk.get(f"/commands/{command.id}/download").status_code == 404


def test_file_missing_from_the_storage_is_not_found(desk: Client, artifact: Artifact) -> None:
    artifact_storage().delete(artifact.storage_name)
    for _ in range(settings.STREAMS + 1):
        assert desk.get(address(artifact)).status_code == 404
    assert not Event.objects.exists()
