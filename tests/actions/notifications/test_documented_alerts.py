"""The alerts that docs/production.md names, while Cloudflare is really away."""

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


def _told(world: World) -> dict[tuple[str, ...], float]:
    """A scrape by the clock that the test moves."""
    text = page.text(metrics.figures(now=world.now), now=world.now).decode()
    samples = [sample for family in parse(text) for sample in family.samples]
    return {(one.name.removeprefix("dexportal_"), one.labels.get("operation", "")): one.value for one in samples}


def test_a_cloudflare_that_is_away_for_an_hour_rests_all_the_time_and_its_listing_grows_old_but_never_late(
    world: World, settings: Any
) -> None:
    settings.GET_RETRY_BASE = timedelta(0)
    assert sync(world.account, now=world.now)
    world.fault("error", call="list", status=500)
    rested = []
    for _ in range(60):
        world.forward(minutes=1)
        if world.account.id in schedule.due_accounts(now=world.now):
            assert not sync(world.account, now=world.now)
        told = _told(world)
        rested.append(("paused", "list") in told)
        assert told["sync_late_seconds", ""] < 60
    first = rested.index(True)
    assert first <= 31, "the first listing that fails is that of an idle account"
    assert all(rested[first:])
    assert told["sync_age_seconds", ""] >= 2700
