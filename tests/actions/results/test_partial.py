"""A capture of which one side is missing is a success that says so."""

import pytest
from django.test import Client

from commands.actions.results.fetch import collect
from commands.models import Device
from tests.actions.world import QUICK_END, World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("trouble", "words"), [("no-tunnel", "the capture of the tunnel is missing"), ("", "")])
def test_what_a_zip_lacks_is_told_where_its_result_is(world: World, trouble: str, words: str) -> None:
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
    assert words in artifact.words
    assert bool(artifact.words) is bool(words)
    client = Client()
    client.force_login(world.person)
    for page in ("/", f"/commands/{command.id}/"):
        assert ("Only a part came" in client.get(page).text) is bool(words)
