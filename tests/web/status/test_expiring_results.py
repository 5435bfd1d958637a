"""Banner for results that Cloudflare is about to delete while downloads are paused."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from commands.models import Account, Artifact, Pause, User
from commands.rules.states import Status
from tests.html import Page
from tests.rows import make_artifact, make_command, make_pause, make_run

pytestmark = pytest.mark.django_db


def banners(client: Client) -> str:
    return Page.of(client.get("/")).text("#banners")


@pytest.mark.parametrize("refused", [True, False])
def test_banner_shows_expiring_results_while_downloads_are_paused(
    desk: Client, account: Account, helpdesk: User, settings: Any, refused: bool
) -> None:
    run, now = make_run(account, helpdesk), timezone.now()
    first = now + timedelta(hours=1)
    for at in (now + settings.ARTIFACT_URGENT + timedelta(minutes=1), now - timedelta(minutes=1)):
        make_artifact(make_command(run, Status.SUCCESS), deleted_remotely_at=at)
    make_pause(account, "download", refused=refused)
    calm = banners(desk)
    assert "about to be lost" not in calm
    assert "Results stay at Cloudflare, which keeps them for 7 days." in calm
    for at in (first, now + timedelta(hours=2)):
        make_artifact(make_command(run, Status.SUCCESS), deleted_remotely_at=at)
    page = Page.of(desk.get("/"))
    [urgent] = [each for each in page.select("[data-testid=banner]") if "First deletion:" in each.text()]
    assert urgent.text("strong") == "2 results are about to be lost."
    assert urgent.one("time")["datetime"] == first.isoformat()
    assert "Results stay at Cloudflare until it deletes them." in page.text("#banners")
    assert "Results stay at Cloudflare, which keeps" not in page.text("#banners")
    Artifact.objects.filter(deleted_remotely_at=first).update(deleted_remotely_at=now)
    assert "1 result is about to be lost." in banners(desk)
    Pause.objects.update(operation="create")
    assert "about to be lost" not in banners(desk)
