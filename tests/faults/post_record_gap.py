"""`python -m tests.faults.post_record_gap FOLDER restart|late`: halt a worker between a POST and its record.

Two scenes for `test_post_record_gap.py`, with real servers, one worker and one command, but without beat and listings.
While the worker is halted, PostgreSQL restarts within the lease (restart), or the lease expires (late). The resulting
record is printed as JSON.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any
from uuid import UUID

import django
from django.core.management import call_command

from tests.faults.testbed import Testbed, running_testbed

TIMEOUT = 120.0
LEASES = {"restart": "60", "late": "16"}  # seconds; a POST may begin in the first quarter
KEY = UUID(int=1, version=4)


def main(folder: Path, scene: str) -> None:
    os.environ["DEXPORTAL_FAULTS_LEASE"] = LEASES[scene]
    with running_testbed(folder, accounts=1, speed=1, kill_at="") as testbed:
        os.environ.update(testbed.environment)
        django.setup()
        call_command("migrate", verbosity=0)
        json.dump(_execute(testbed, scene), sys.stdout)


def _execute(testbed: Testbed, scene: str) -> dict[str, Any]:
    from tests.faults import workload

    workload.prepare(testbed.control.config()["accounts"])
    testbed.halt_point.request()
    testbed.start_portal(only=("talk-1",))
    _submit(testbed)
    dispatch_id = next(_wait_for(lambda: _halted_dispatches(testbed)))
    if scene == "late":
        next(_wait_for(_settle))
    else:
        testbed.database.stop(signal.SIGINT)
        testbed.database.start()
    testbed.halt_point.release(dispatch_id)
    next(_wait_for(_is_recorded))
    return _result(testbed, dispatch_id)


def _submit(testbed: Testbed) -> None:
    from django.utils import timezone

    from commands.actions.sending.submit import Submitted, submit_run
    from commands.models import Account, User
    from commands.rules.kinds import Kind, clean_options
    from commands.rules.targeting import Target
    from tests.faults import workload

    device = next(device for device in testbed.control.devices() if device["eligible"])
    target = Target(
        device_id=device["device_id"],
        email=device["person_email"],
        registration_id=device["registration_id"],
        platform=device["platform"],
        listed=True,
    )
    result = submit_run(
        account=Account.objects.get(),
        by=User.objects.get(username=workload.REQUESTER),
        now=timezone.now(),
        key=KEY,
        kinds={Kind.PCAP: clean_options(Kind.PCAP, {})[0]},
        targets=[target],
    )
    assert isinstance(result, Submitted), result


def _halted_dispatches(testbed: Testbed) -> list[str]:
    """Return the halted Dispatches, after another wakeup: wakeups expire soon, and there is no beat to repeat them."""
    from commands.models import Account
    from commands.tasks import deliver_account
    from commands.wakeup import wake

    wake(deliver_account, str(Account.objects.get().id))
    return testbed.halt_point.halted_dispatches()


def _settle() -> int:
    from commands import clock
    from commands.actions import settle

    return settle.settle(now=clock.database_now())


def _is_recorded() -> bool:
    from django.db import Error, connection

    from commands.models import Command

    try:
        return Command.objects.exclude(remote_id="").exists()
    except Error:  # the database restarts
        connection.close()
        return False


def _result(testbed: Testbed, dispatch_id: str) -> dict[str, Any]:
    from commands.models import Command, Dispatch, Event

    events = Event.objects.order_by("version").values_list("event", "from_status", "to_status", "mover")
    return {
        "events": list(events),
        "outcome": Dispatch.objects.get(id=dispatch_id).outcome,
        "remote_id": Command.objects.get().remote_id,
        "ledger": [entry["id"] for entry in testbed.control.ledger()],
    }


def _wait_for[Result](check: Callable[[], Result]) -> Iterator[Any]:
    deadline = monotonic() + TIMEOUT
    while not (result := check()):
        if monotonic() > deadline:
            raise AssertionError(f"no result within {TIMEOUT:g} seconds")
        Event().wait(0.5)
    yield from result if isinstance(result, list) else [result]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
