"""Alerts of docs/production.md while Cloudflare does not respond."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from commands.actions.listing import schedule
from commands.actions.listing.sync import sync
from commands.queries import metrics
from commands.web.metrics import page
from tests.actions.world import World

pytestmark = pytest.mark.django_db


def _scrape(world: World) -> dict[tuple[str, ...], float]:
    """Scrape by the clock that the test moves. Returns the samples by name and operation."""
    text = page.text(metrics.figures(now=world.now), now=world.now).decode()
    samples = [sample for family in parse(text) for sample in family.samples]
    return {(each.name.removeprefix("dexportal_"), each.labels.get("operation", "")): each.value for each in samples}


def test_hour_without_cloudflare_is_paused_throughout_and_its_listing_old_but_never_late(
    world: World, settings: Any
) -> None:
    settings.GET_RETRY_BASE = timedelta(0)
    assert sync(world.account, now=world.now)
    world.fault("error", call="list", status=500)
    paused_minutes = []
    for _ in range(60):
        world.forward(minutes=1)
        if world.account.id in schedule.due_accounts(now=world.now):
            assert not sync(world.account, now=world.now)
        samples = _scrape(world)
        paused_minutes.append(("paused", "list") in samples)
        assert samples["sync_late_seconds", ""] < 60
    first = paused_minutes.index(True)
    assert first <= 31, "the first listing that fails is that of an idle account"
    assert all(paused_minutes[first:])
    assert samples["sync_age_seconds", ""] >= 2700
