"""Parts of Celery and kombu that dexportal/celery/ overrides, as the installed versions have them.

A new version that changes one of them fails here, by name, before anything behaves oddly.
"""

import inspect

import pytest
from celery import bootsteps
from celery.app.base import Celery
from celery.beat import Scheduler
from celery.schedules import schedule
from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual

from dexportal.celery import file_broker, heartbeat

PARAMETERS = [
    (virtual.Channel._lookup, ["self", "exchange", "routing_key", "default"]),
    (virtual.Channel.queue_declare, ["self", "queue", "passive", "kwargs"]),
    (filesystem.Channel._queue_bind, ["self", "exchange", "routing_key", "pattern", "queue"]),
    (filesystem.Channel._put, ["self", "queue", "payload", "kwargs"]),
    (filesystem.Channel._get, ["self", "queue"]),
    (Scheduler.apply_entry, ["self", "entry", "producer"]),
    (Scheduler.tick, ["self", "event_t", "min", "heappop", "heappush"]),
    (Scheduler._ensure_connected, ["self"]),  # type: ignore[attr-defined]  # not in the stubs
    (Scheduler.apply_async, ["self", "entry", "producer", "advance", "kwargs"]),
    (schedule.__init__, ["self", "run_every", "relative", "nowfun", "app"]),
    (bootsteps.StartStopStep.start, ["self", "parent"]),
    (Celery.connection_for_write, ["self", "url", "kwargs"]),
]


@pytest.mark.parametrize(("method", "names"), PARAMETERS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_overridden_method_of_the_library_has_the_expected_parameters(method: object, names: list[str]) -> None:
    assert list(inspect.signature(method).parameters) == names  # type: ignore[arg-type]


def test_overrides_replace_methods_that_the_library_calls() -> None:
    assert file_broker.Channel.__mro__[1] is filesystem.Channel
    assert heartbeat.HeartbeatScheduler.__mro__[1] is Scheduler
    for ours, theirs in ((file_broker.Channel, filesystem.Channel), (heartbeat.HeartbeatScheduler, Scheduler)):
        overridden = [name for name, value in vars(ours).items() if inspect.isfunction(value)]
        own = {"_report", "_read"}
        assert [name for name in overridden if name not in own and not hasattr(theirs, name)] == []


def test_messages_have_the_parts_that_the_file_broker_checks() -> None:
    assert list(inspect.signature(virtual.Message.__init__).parameters) == ["self", "payload", "channel", "kwargs"]


def test_file_broker_is_found_by_its_url() -> None:
    assert TRANSPORT_ALIASES["spool"] == "dexportal.celery.file_broker:Transport"
