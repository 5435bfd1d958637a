"""Rate limit of a credential, and the length of pauses."""

from datetime import timedelta
from typing import Any

import pytest

from commands.actions.upstream import pauses, rate_limit
from commands.actions.upstream.rate_limit import NotNow
from commands.cloudflare.types import Call
from commands.models import Account, CallBudget, Pause
from commands.rules.pauses import Operation, PauseCause, PauseReason
from tests.actions.racing import race
from tests.actions.world import World

pytestmark = pytest.mark.django_db

CREATE, LIST = Operation.CREATE, Operation.LIST
AWAY = PauseCause(PauseReason.NO_RESPONSE)
EXPIRED = PauseCause(PauseReason.CREDENTIAL_REFUSED, "token expired", 401, 10000)


@pytest.fixture
def credential(world: World, settings: Any) -> int:
    """Allow 40 calls in 5 minutes, 20 of them at once, 10 of these for listings."""
    settings.RATE_CALLS, settings.RATE_RESERVE = 50, 10
    assert world.account.credential_id is not None
    return world.account.credential_id


def _spent(credential: int, call: Call, most: int = 1000) -> int:
    """Spend calls until none is left, and return how many there were."""
    for count in range(most):
        try:
            rate_limit.spend(credential, call)
        except NotNow:
            return count
    return most


@pytest.mark.parametrize(
    ("call", "at_once"), [(Call.CREATE, 20), (Call.LIST, 10), (Call.DOWNLOAD, 15), (Call.QUOTA, 15)]
)
def test_each_sort_of_call_has_its_share(credential: int, call: Call, at_once: int) -> None:
    assert _spent(credential, call) == at_once


def test_posts_have_calls_left_after_listings_and_files_used_up_theirs(credential: int) -> None:
    assert _spent(credential, Call.LIST) == 10
    assert _spent(credential, Call.DOWNLOAD) == 5
    assert _spent(credential, Call.CREATE) == 5


def test_five_minutes_never_have_more_calls_than_cloudflare_allows(world: World, credential: int) -> None:
    calls = 0
    for _ in range(300):
        calls += _spent(credential, Call.CREATE)
        world.forward(seconds=1)
    assert 38 <= calls <= 41


def test_call_over_the_limit_is_allowed_at_the_time_that_the_error_names(world: World, credential: int) -> None:
    _spent(credential, Call.CREATE)
    with pytest.raises(NotNow) as refused:
        rate_limit.spend(credential, Call.CREATE)
    assert world.now < refused.value.until < world.now + timedelta(seconds=20)
    world.forward((refused.value.until - world.now).total_seconds() + 0.1)
    rate_limit.spend(credential, Call.CREATE)


def test_clock_that_is_set_back_blocks_no_calls(world: World, credential: int) -> None:
    _spent(credential, Call.CREATE)
    world.forward(minutes=-50)
    assert _spent(credential, Call.CREATE) == 0
    world.forward(minutes=5)
    assert _spent(credential, Call.CREATE) == 20


def test_shorter_429_does_not_shorten_the_pause_of_the_credential(world: World, credential: int) -> None:
    until = rate_limit.pause_credential(credential, retry_after=60, remote_message="slow down")
    rate_limit.pause_credential(credential, retry_after=5, remote_message="slow down")
    for call in Call:
        with pytest.raises(NotNow) as refused:
            rate_limit.spend(credential, call)
        error = refused.value
        assert (error.until, error.reason_code, error.remote_message) == (until, "rate_limited", "slow down")
    assert rate_limit.paused_credentials([credential], now=world.now) == {credential}
    world.forward(seconds=61)
    rate_limit.spend(credential, Call.CREATE)
    assert rate_limit.paused_credentials([credential], now=world.now) == set()


def test_429_without_retry_after_pauses_for_five_minutes(world: World, credential: int) -> None:
    until = rate_limit.pause_credential(credential, retry_after=None, remote_message="slow down")
    assert timedelta(minutes=4, seconds=55) < until - world.now <= timedelta(minutes=5)


def test_429s_in_a_row_with_retry_after_0_pause_longer_and_longer(world: World, credential: int, settings: Any) -> None:
    rests = []
    for _ in range(12):
        until = rate_limit.pause_credential(credential, retry_after=0, remote_message="slow down")
        rests.append((until - world.now).total_seconds())
        world.forward(rests[-1] + 0.01)
    assert [round(rest) for rest in rests[:6]] == [5, 5, 10, 20, 40, 80]
    assert rests[-1] == pytest.approx(settings.THROTTLE_MAX.total_seconds(), abs=1)
    world.forward(seconds=1)
    pauses.clear_pause(world.account, CREATE)
    again = rate_limit.pause_credential(credential, retry_after=0, remote_message="slow down") - world.now
    assert round(again.total_seconds()) == 5


def test_time_without_calls_does_not_lengthen_the_pause_after_a_429(world: World, credential: int) -> None:
    rate_limit.pause_credential(credential, retry_after=0, remote_message="slow down")
    world.forward(minutes=4)
    again = rate_limit.pause_credential(credential, retry_after=0, remote_message="slow down") - world.now
    assert round(again.total_seconds()) == 5


def test_pause_doubles_up_to_its_limit_and_starts_over_after_a_success(world: World) -> None:
    rests = []
    for _ in range(10):
        rests.append(pauses.pause_operation(world.account, CREATE, AWAY, now=world.now) - world.now)
        world.forward(rests[-1].total_seconds())
    seconds = [round(rest.total_seconds()) for rest in rests]
    assert seconds == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    pauses.clear_pause(world.account, CREATE)
    assert pauses.active_pause(world.account, CREATE, now=world.now) is None
    again = pauses.pause_operation(world.account, CREATE, AWAY, now=world.now) - world.now
    assert round(again.total_seconds()) == 5


def test_refusal_has_the_longest_pause_and_stops_no_other_operation(world: World) -> None:
    until = pauses.pause_operation(world.account, CREATE, EXPIRED, now=world.now)
    assert until - world.now > timedelta(minutes=4, seconds=59)
    resting = pauses.active_pause(world.account, CREATE, now=world.now)
    assert resting is not None
    assert resting.refused
    assert (resting.reason_code, resting.remote_message) == ("credential_refused", "token expired")
    assert pauses.active_pause(world.account, LIST, now=world.now) is None
    assert pauses.active_pause(world.account, CREATE, now=until) is None


@pytest.mark.django_db(transaction=True)
def test_concurrent_callers_share_one_budget(world: World, credential: int) -> None:
    assert sum(race(lambda: _spent(credential, Call.CREATE), threads=4)) in (20, 21)
    assert CallBudget.objects.get(credential_id=credential).calls_left is not None


@pytest.mark.django_db(transaction=True)
def test_concurrent_failures_are_all_counted(world: World) -> None:
    account: Account = world.account
    race(lambda: pauses.pause_operation(account, LIST, AWAY, now=world.now), threads=4)
    assert Pause.objects.get(account=account, operation=LIST).failures == 4
