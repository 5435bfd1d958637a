"""`python -m tests.faults.between FOLDER restart|late`: one command whose worker halts between the POST and its record.

Scenes of their own with real servers, for `test_between.py`: one worker, no beat, no listing. Meanwhile PostgreSQL is
restarted, within the lease; or the lease runs out. It prints what became of the command, as JSON.
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

WITHIN = 120.0
LEASES = {"restart": "60", "late": "16"}  # seconds; a quarter of it is left for the POST to begin
KEY = UUID(int=1, version=4)


def main(folder: Path, scene: str) -> None:
    os.environ["DEXPORTAL_FAULTS_LEASE"] = LEASES[scene]
    with staged(folder, accounts=1, speed=1, kill_at="") as stage:
        os.environ.update(stage.environment)
        django.setup()
        call_command("migrate", verbosity=0)
        json.dump(_play(stage, scene), sys.stdout)


def _play(stage: Stage, scene: str) -> dict[str, Any]:
    from tests.faults import asking

    asking.prepare(stage.control.config()["accounts"])
    stage.halts.wish()
    stage.start_portal(only=("talk-1",))
    _ask(stage)
    dispatch_id = next(_awaited(lambda: _halted(stage)))
    if scene == "late":
        next(_awaited(_settled))
    else:
        stage.database.stop(signal.SIGINT)
        stage.database.start()
    stage.halts.let_go(dispatch_id)
    next(_awaited(_recorded))
    return _told(stage, dispatch_id)


def _ask(stage: Stage) -> None:
    from django.utils import timezone

    from commands.actions.sending import submit
    from commands.models import Account, User
    from commands.rules.kinds import Kind, clean_options
    from tests.faults import asking

    device = next(one for one in stage.control.devices() if one["eligible"])
    target = submit.Target(
        device_id=device["device_id"],
        email=device["person_email"],
        registration_id=device["registration_id"],
        platform=device["platform"],
        listed=True,
    )
    submit.ask(
        account=Account.objects.get(),
        by=User.objects.get(username=asking.ASKER),
        now=timezone.now(),
        form_key=KEY,
        options={Kind.PCAP: clean_options(Kind.PCAP, {})[0]},
        targets=[target],
    )


def _halted(stage: Stage) -> list[str]:
    """Wakes again what nobody heard: a wake is soon forgotten, and there is no beat."""
    from commands.models import Account
    from commands.tasks import deliver_account
    from commands.wakeup import wake

    wake(deliver_account, str(Account.objects.get().id))
    return stage.halts.halted()


def _settled() -> int:
    from commands.actions import settle
    from commands.actions.record import leases

    return settle.settle(now=leases.database_now())


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
        assert monotonic() < until, f"nothing came within {WITHIN:g} seconds"
        Event().wait(0.5)
    yield from found if isinstance(found, list) else [found]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
