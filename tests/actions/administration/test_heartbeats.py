"""Signs of life: who gave one lately, and who is away."""

from datetime import timedelta

import pytest

from commands.actions.administration import heartbeats
from commands.clock import database_now
from commands.models import Heartbeat
from commands.queries.heartbeats import Liveness, Role, liveness

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def signs(**ages: float) -> Liveness:
    """Everybody gave a sign just now, but for these, so many seconds ago."""
    now = database_now()
    return Liveness({role: now - ages.get(role, 0) * SECOND for role in Role}, now)


def test_who_never_gave_a_sign_is_away_and_who_did_is_not() -> None:
    assert liveness().down == [Role.BEAT, Role.TALK, Role.FETCH]
    heartbeats.beat(Role.TALK, now=database_now())
    found = liveness()
    assert (found.down, found.alive) == ([Role.BEAT, Role.FETCH], [Role.TALK])


def test_a_sign_holds_for_so_long_and_no_longer() -> None:
    assert signs(fetch=44).down == []
    assert signs(fetch=45).down == [Role.FETCH]


def test_a_beat_that_lives_and_finds_no_broker_says_so_and_workers_may_wait_for_it_in_silence() -> None:
    assert signs(beat=7, broker=26).down == []
    assert signs(beat=7, broker=27).down == [Role.BROKER]
    assert signs(broker=100, talk=80, fetch=80).down == [Role.BROKER]
    now = database_now()
    assert Liveness(dict.fromkeys(Role, now) | {Role.BROKER: None}, now).down == [Role.BROKER]


def test_without_beat_nobody_knows_of_the_broker() -> None:
    assert signs(beat=60, broker=60).down == [Role.BEAT]


def test_a_worker_that_is_silent_while_the_broker_takes_messages_is_away() -> None:
    assert signs(talk=60).down == [Role.TALK]


def test_a_process_has_one_row_a_role_that_it_renews() -> None:
    now = database_now()
    for seconds in range(3):
        heartbeats.beat(Role.TALK, Role.FETCH, now=now + seconds * SECOND)
    assert [beat.seen_at for beat in Heartbeat.objects.all()] == [now + 2 * SECOND] * 2


def test_a_sign_from_before_the_clock_was_set_back_says_nothing_of_now() -> None:
    now = database_now()
    Heartbeat.objects.create(role=Role.TALK, instance="gone:1", seen_at=now + timedelta(hours=1))
    assert Role.TALK in liveness().down
    heartbeats.beat(Role.TALK, now=now)
    assert Role.TALK not in liveness().down


def test_processes_that_are_long_gone_are_forgotten() -> None:
    now = database_now()
    for days in (-2, 2):
        Heartbeat.objects.create(role=Role.TALK, instance=f"{days}:1", seen_at=now + timedelta(days=days))
    Heartbeat.objects.create(role=Role.BEAT, instance="-31:1", seen_at=now - timedelta(days=31))
    Heartbeat.objects.create(role=Role.TALK, instance="other:1", seen_at=now - timedelta(hours=2))
    heartbeats.beat(Role.TALK, now=now)
    instances = set(Heartbeat.objects.values_list("instance", flat=True))
    assert "other:1" in instances
    assert instances.isdisjoint({"-2:1", "2:1", "-31:1"})


def test_of_a_role_that_died_on_friday_the_last_one_is_still_known_on_monday_however_often_others_start() -> None:
    now = database_now()
    for restart in range(3):
        seen_at = now - timedelta(days=3, minutes=restart)
        Heartbeat.objects.create(role=Role.FETCH, instance=f"fetch:{restart}", seen_at=seen_at)
    heartbeats.beat(Role.BEAT, Role.BROKER, Role.TALK, now=now)
    assert list(Heartbeat.objects.filter(role=Role.FETCH).values_list("instance", flat=True)) == ["fetch:0"]
    signs = liveness()
    assert (signs.down, signs.seen[Role.FETCH]) == ([Role.FETCH], now - timedelta(days=3))
