"""Heartbeats: which roles are alive, and which are down."""

from datetime import timedelta

import pytest

from commands.actions.administration import heartbeats
from commands.clock import database_now
from commands.models import Heartbeat
from commands.queries.heartbeats import Liveness, Role, liveness

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def liveness_with(**ages: float) -> Liveness:
    """Build the liveness with heartbeats from now, and of these roles so many seconds ago."""
    now = database_now()
    return Liveness({role: now - ages.get(role, 0) * SECOND for role in Role}, now)


def test_role_without_a_heartbeat_is_down() -> None:
    assert liveness().down == [Role.BEAT, Role.TALK, Role.FETCH]
    heartbeats.beat(Role.TALK, now=database_now())
    roles = liveness()
    assert (roles.down, roles.alive) == ([Role.BEAT, Role.FETCH], [Role.TALK])


def test_heartbeat_is_valid_for_a_limited_time() -> None:
    assert liveness_with(fetch=44).down == []
    assert liveness_with(fetch=45).down == [Role.FETCH]


def test_workers_are_not_reported_while_beat_finds_the_broker_down() -> None:
    assert liveness_with(beat=7, broker=26).down == []
    assert liveness_with(beat=7, broker=27).down == [Role.BROKER]
    assert liveness_with(broker=100, talk=80, fetch=80).down == [Role.BROKER]
    now = database_now()
    assert Liveness(dict.fromkeys(Role, now) | {Role.BROKER: None}, now).down == [Role.BROKER]


def test_broker_is_not_reported_while_beat_is_down() -> None:
    assert liveness_with(beat=60, broker=60).down == [Role.BEAT]


def test_silent_worker_is_down_if_the_broker_is_up() -> None:
    assert liveness_with(talk=60).down == [Role.TALK]


def test_process_has_one_row_for_each_role() -> None:
    now = database_now()
    for seconds in range(3):
        heartbeats.beat(Role.TALK, Role.FETCH, now=now + seconds * SECOND)
    assert [beat.seen_at for beat in Heartbeat.objects.all()] == [now + 2 * SECOND] * 2


def test_heartbeat_from_before_the_clock_was_set_back_proves_nothing() -> None:
    now = database_now()
    Heartbeat.objects.create(role=Role.TALK, instance="gone:1", seen_at=now + timedelta(hours=1))
    assert Role.TALK in liveness().down
    heartbeats.beat(Role.TALK, now=now)
    assert Role.TALK not in liveness().down


def test_rows_of_processes_that_ended_are_deleted() -> None:
    now = database_now()
    for days in (-2, 2):
        Heartbeat.objects.create(role=Role.TALK, instance=f"{days}:1", seen_at=now + timedelta(days=days))
    Heartbeat.objects.create(role=Role.BEAT, instance="-31:1", seen_at=now - timedelta(days=31))
    Heartbeat.objects.create(role=Role.TALK, instance="other:1", seen_at=now - timedelta(hours=2))
    heartbeats.beat(Role.TALK, now=now)
    instances = set(Heartbeat.objects.values_list("instance", flat=True))
    assert "other:1" in instances
    assert instances.isdisjoint({"-2:1", "2:1", "-31:1"})


def test_last_row_of_a_role_stays_for_weeks() -> None:
    now = database_now()
    for restart in range(3):
        seen_at = now - timedelta(days=3, minutes=restart)
        Heartbeat.objects.create(role=Role.FETCH, instance=f"fetch:{restart}", seen_at=seen_at)
    heartbeats.beat(Role.BEAT, Role.BROKER, Role.TALK, now=now)
    assert list(Heartbeat.objects.filter(role=Role.FETCH).values_list("instance", flat=True)) == ["fetch:0"]
    signs = liveness()
    assert (signs.down, signs.seen[Role.FETCH]) == ([Role.FETCH], now - timedelta(days=3))
