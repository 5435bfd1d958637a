"""Captures with a missing side: successful commands that say what is missing."""

import pytest
from django.test import Client

from commands.actions.results.fetch import collect
from commands.models import Device
from commands.rules.artifact_reasons import ArtifactReason
from tests.actions.world import QUICK_END, World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("trouble", "reason"), [("no-tunnel", ArtifactReason.MISSING_TUNNEL_CAPTURE), ("", "")])
def test_missing_capture_is_shown_with_the_result(world: World, trouble: str, reason: str) -> None:
    world.configure(people=120)
    assert world.devices
    rows = {row["device_id"] for row in world.upstream.control("GET", "world")["devices"] if row["trouble"] == trouble}
    device = Device.objects.filter(device_id__in=rows, eligible=True, platform="mac").order_by("device_id").first()
    device = device or Device.objects.filter(device_id__in=rows, eligible=True).order_by("device_id")[0]
    command = world.sent(devices=[device])
    world.forward(QUICK_END)
    world.sync()
    assert collect(now=lambda: world.now)
    artifact = world.artifact(command)
    assert artifact.status == "stored"
    assert artifact.reason_code == reason
    client = Client()
    client.force_login(world.person)
    for page in ("/", f"/commands/{command.id}/"):
        assert (ArtifactReason.MISSING_TUNNEL_CAPTURE in client.get(page).text) is bool(reason)
