"""Status page: results that are not downloaded, and commands that cannot be checked while listing is paused."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from commands.models import Account, Artifact, Pause, User
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.states import ArtifactStatus, Status
from tests.html import Page
from tests.people import make_account, make_person
from tests.rows import make_artifact, make_command, make_notification, make_pause, make_run
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

URL = "/status/"
MISSING, DOUBTFUL = "[data-testid=missing]", "[data-testid=doubtful-command]"


def status_page(client: Client) -> Page:
    return Page.of(client.get(URL))


@pytest.fixture
def client(account: Account, sign_in: SignIn) -> Client:
    return sign_in(make_person("ada", "admin"))


@pytest.fixture
def missing(account: Account, helpdesk: User) -> Artifact:
    """Return a result that no worker has tried to download yet."""
    return make_artifact(make_command(make_run(account, helpdesk), Status.SUCCESS))


def test_failed_downloads_are_shown_with_time_and_last_reason(
    client: Client, account: Account, helpdesk: User, missing: Artifact
) -> None:
    now, run = timezone.now(), make_run(account, helpdesk)
    stored = {"size": 1, "sha256": "a" * 64, "stored_at": now, "reason_code": ArtifactReason.MISSING_TUNNEL_CAPTURE}
    make_artifact(make_command(run, Status.SUCCESS), ArtifactStatus.STORED, **stored)
    assert not status_page(client).select(MISSING)
    full, first = ArtifactReason.STORAGE_FAILED, now + timedelta(days=3)
    for minutes, reason in ((1, full), (9, ArtifactReason.CONNECTION_BROKEN)):
        since = now - timedelta(minutes=minutes)
        make_artifact(make_command(run, Status.SUCCESS), reason_code=reason, status_at=since, deleted_remotely_at=first)
    missing_results = status_page(client).one(MISSING)
    assert missing_results.text().startswith("3. Cloudflare deletes the first one")
    assert missing_results.one("time")["datetime"] == first.isoformat()
    assert missing_results.text().endswith("Last reason: The file could not be saved to the storage.")


def test_expiring_results_are_shown_before_any_attempt(client: Client, missing: Artifact) -> None:
    now = timezone.now()
    Artifact.objects.update(deleted_remotely_at=now + timedelta(hours=25))
    assert not status_page(client).select(MISSING)
    Artifact.objects.update(deleted_remotely_at=now + timedelta(hours=23))
    text = status_page(client).text(MISSING)
    assert text.startswith("1. Cloudflare deletes the first one")
    assert "Last reason" not in text
    Artifact.objects.update(deleted_remotely_at=now - timedelta(hours=1), reason_code=ArtifactReason.ACCOUNT_REFUSED)
    assert status_page(client).text(MISSING).startswith("1. Cloudflare deleted the first one")


@pytest.mark.parametrize(
    ("refused", "advice"),
    [
        (True, "Sync is paused, so we can't check. Fix that first."),
        (False, "Sync is paused, so we can't check until Cloudflare responds again."),
    ],
)
def test_paused_listing_is_the_advice_for_commands_with_unknown_outcome(
    client: Client, account: Account, helpdesk: User, refused: bool, advice: str
) -> None:
    now, run = timezone.now(), make_run(account, helpdesk)
    for status in (Status.UNCERTAIN, Status.UNCONFIRMED):
        make_command(run, status)
    for operation, other in (("create", account), ("list", make_account("Other"))):
        make_pause(other, operation, since=now, until=now, refused=True)
    text = " ".join(status_page(client).texts(DOUBTFUL))
    assert "still checking" in text
    assert "We check Cloudflare" in text
    assert "so we can't check" not in text
    make_pause(account, "list", since=now, until=now, refused=refused)
    text = " ".join(status_page(client).texts(DOUBTFUL))
    assert ("still checking" in text, "We check Cloudflare" in text) == (False, False)
    assert text.count(advice) == 2
    assert "run it again" in text


def test_restarted_worker_does_not_count_as_a_failed_download(client: Client, missing: Artifact) -> None:
    Artifact.objects.update(reason_code=ArtifactReason.WORKER_STOPPED)
    assert not status_page(client).select(MISSING)


def test_probes_and_failing_emails_are_shown_with_a_refusal(client: Client, account: Account, settings: Any) -> None:
    mail, probed = "The notification email could not be sent.", "Retried every few minutes and with the next command"
    shown = "[data-testid=pause]"
    long_ago = timezone.now() - timedelta(hours=1)
    pause = make_pause(account, "list", since=long_ago, until=long_ago, refused=True)
    text = status_page(client).text(shown)
    assert (probed in text, mail in text) == (False, False)
    Pause.objects.filter(pk=pause.pk).update(operation="create")
    make_notification(pause, attempts=settings.MAIL_ATTEMPTS)
    text = status_page(client).text(shown)
    assert (probed in text, mail in text) == (True, True)
