"""Signs of life: who gave one lately, and who is missing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from commands.actions import heartbeats
from commands.models import Heartbeat

pytestmark = pytest.mark.django_db

Role = Heartbeat.Role


def test_who_never_gave_a_sign_is_missing_and_who_did_is_not() -> None:
    now = timezone.now()
    assert heartbeats.missing(now=now) == [Role.BEAT, Role.TALK, Role.FETCH]
    heartbeats.beat(Role.TALK, now=now)
    assert heartbeats.missing(now=now) == [Role.BEAT, Role.FETCH]


def test_a_sign_holds_for_so_long_and_no_longer() -> None:
    now = timezone.now()
    heartbeats.beat(Role.BEAT, now=now)
    assert Role.BEAT not in heartbeats.missing(now=now + timedelta(seconds=44))
    assert Role.BEAT in heartbeats.missing(now=now + timedelta(seconds=45))


def test_a_process_has_one_row_that_it_renews() -> None:
    now = timezone.now()
    for seconds in range(3):
        heartbeats.beat(Role.FETCH, now=now + timedelta(seconds=seconds))
    assert Heartbeat.objects.get().seen_at == now + timedelta(seconds=2)


def test_processes_that_are_long_gone_are_forgotten() -> None:
    now = timezone.now()
    Heartbeat.objects.create(role=Role.TALK, instance="old:1", seen_at=now - timedelta(days=2))
    Heartbeat.objects.create(role=Role.TALK, instance="other:1", seen_at=now - timedelta(hours=2))
    heartbeats.beat(Role.TALK, now=now)
    assert set(Heartbeat.objects.values_list("instance", flat=True)) >= {"other:1"}
    assert not Heartbeat.objects.filter(instance="old:1").exists()
