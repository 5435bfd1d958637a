"""`python -m tests.faults.between FOLDER`: one command whose worker halts after the POST while PostgreSQL is restarted.

A scene of its own with real servers, for `test_between.py`: one worker, no beat, no listing, a lease that outlives
every restart. It prints what became of the command, as JSON.
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

from tests.faults.stage import Stage, staged

WITHIN = 60.0
KEY = UUID(int=1, version=4)


def main(folder: Path) -> None:
    os.environ["DEXPORTAL_FAULTS_LEASE"] = str(WITHIN)
    with staged(folder, accounts=1, speed=1, kill_at="") as stage:
        os.environ.update(stage.environment)
        django.setup()
        call_command("migrate", verbosity=0)
        json.dump(_play(stage), sys.stdout)


def _play(stage: Stage) -> dict[str, Any]:
    from tests.faults import asking

    asking.prepare(stage.control.config()["accounts"])
    stage.halts.wish()
    stage.start_portal(only=("talk-1",))
    _ask(stage)
    dispatch_id = next(_awaited(stage.halts.halted))
    stage.database.stop(signal.SIGINT)
    stage.database.start()
    stage.halts.let_go(dispatch_id)
    next(_awaited(_recorded))
    return _told(stage, dispatch_id)


def _ask(stage: Stage) -> None:
    from django.utils import timezone

    from commands.actions import run
    from commands.kinds import Kind, clean_options
    from commands.models import Account, User
    from tests.faults import asking

    device = next(one for one in stage.control.devices() if one["eligible"])
    target = run.Target(
        device_id=device["device_id"],
        email=device["person_email"],
        registration_id=device["registration_id"],
        platform=device["platform"],
        listed=True,
    )
    run.ask(
        account=Account.objects.get(),
        by=User.objects.get(username=asking.ASKER),
        now=timezone.now(),
        form_key=KEY,
        options={Kind.PCAP: clean_options(Kind.PCAP, {})[0]},
        targets=[target],
    )


def _recorded() -> bool:
    from django.db import Error, connection

    from commands.models import Command

    try:
        return Command.objects.exclude(remote_id="").exists()
    except Error:  # of the restart
        connection.close()
        return False


def _told(stage: Stage, dispatch_id: str) -> dict[str, Any]:
    from commands.models import Command, Dispatch, Event

    events = Event.objects.order_by("version").values_list("event", "from_status", "to_status", "mover")
    return {
        "events": list(events),
        "outcome": Dispatch.objects.get(id=dispatch_id).outcome,
        "remote_id": Command.objects.get().remote_id,
        "ledger": [entry["id"] for entry in stage.control.ledger()],
    }


def _awaited[Found](look: Callable[[], Found]) -> Iterator[Any]:
    until = monotonic() + WITHIN
    while not (found := look()):
        assert monotonic() < until, f"nothing came of {look.__name__} within {WITHIN:g} seconds"
        Event().wait(0.05)
    yield from found if isinstance(found, list) else [found]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
