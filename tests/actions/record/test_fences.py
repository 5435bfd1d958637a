"""Fence of a Dispatch: the result of one POST is not recorded for commands that another POST carries by now."""

import pytest

from commands.actions.sending import deliver
from commands.actions.sending.claim import Claimed, claim
from commands.actions.upstream.rate_limit import NotNow
from commands.models import Account
from commands.rules.pauses import PauseReason
from tests.actions.world import World

pytestmark = pytest.mark.django_db


def _claim(world: World) -> Claimed:
    claimed = claim(Account.objects.select_related("credential").get(id=world.account.id), now=world.now)
    assert claimed is not None
    return claimed


def test_failure_recorded_twice_leaves_commands_of_another_post_alone(world: World) -> None:
    """Lose the confirmation of the first commit, so that the worker records again after another worker has claimed."""
    (command,) = world.request()
    first = _claim(world)
    failure = NotNow(world.now, PauseReason.CALLS_USED_UP)
    deliver.record(first, failure, now=world.now)
    world.forward(seconds=1)
    second = _claim(world)
    deliver.record(first, failure, now=world.now)
    held = world.reload(command)
    assert (held.status, held.dispatch_id) == ("sending", second.dispatch.id)


def test_answer_to_an_earlier_post_leaves_commands_of_another_post_alone(world: World) -> None:
    (command,) = world.request()
    first = _claim(world)
    answer = deliver.post(first)
    deliver.record(first, NotNow(world.now, PauseReason.CALLS_USED_UP), now=world.now)
    world.forward(seconds=1)
    second = _claim(world)
    deliver.record(first, answer, now=world.now)
    held = world.reload(command)
    assert (held.status, held.remote_id, held.dispatch_id) == ("sending", "", second.dispatch.id)
