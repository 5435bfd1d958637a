"""How long does one claim take when 10 000 commands of several runs are queued, and many machines are busy?

The floor is the claim of an account in which no more is queued than one POST takes.
"""

from uuid import uuid4

from benchmarks.company import PCAP, empty_run, now
from benchmarks.figures import Row, median, milliseconds, times_floor
from commands.actions.sending.claim import claim
from commands.models import Account, AccountSync, Command, Dispatch, Run, User
from commands.rules.ids import new_id
from commands.rules.states import Status
from tests.people import make_account, make_person

QUEUED = 10_000
RUNS = 8
ROUNDS = 15
GOAL_RATIO = 2.0
GOAL_BEHIND = 3.0


def _add(run: Run, number: int, *, busy_every: int = 0) -> list[str]:
    """Queued commands, a machine each; every so many machines have a command of the same kind in flight already."""
    at, kind, options = now(), *next(iter(PCAP.items()))
    reached = AccountSync.objects.get(account=run.account).queue_position
    devices = [str(uuid4()) for _ in range(number)]
    common = {"account": run.account, "run": run, "requested_by": run.requested_by, "requested_at": at, "kind": kind}
    common |= {"options": options, "status_at": at, "platform": "mac", "version": 1}
    queued = [
        Command(
            id=new_id(at),
            device_id=device,
            status=Status.QUEUED,
            queue_position=reached + place,
            expires_at=at.replace(year=at.year + 1),
            **common,
        )
        for place, device in enumerate(devices, start=1)
    ]
    Command.objects.bulk_create(queued, batch_size=500)
    if busy_every:
        dispatch = Dispatch.objects.create(
            id=new_id(at),
            account=run.account,
            kind=kind,
            claimed_at=at,
            lease_until=at,
            outcome=Dispatch.Outcome.CREATED,
        )
        running = [
            Command(
                id=new_id(at),
                device_id=device,
                status=Status.PENDING_EXEC,
                remote_id=uuid4().hex,
                dispatch=dispatch,
                **common,
            )
            for device in devices[::busy_every]
        ]
        Command.objects.bulk_create(running, batch_size=500)
    return devices


def _claimed(account: Account, commands: int) -> float:
    def run() -> None:
        claimed = claim(account, now=now())
        assert claimed
        assert len(claimed.commands) == commands

    took = milliseconds(run)
    Dispatch.objects.filter(account=account).update(outcome=Dispatch.Outcome.CREATED)
    return took


def _few(account: Account, person: User, rounds: int) -> list[float]:
    took = []
    for _ in range(rounds):
        _add(empty_run(account, person, 10), 10)
        took.append(_claimed(account, 10))
        Command.objects.filter(account=account, status=Status.SENDING).update(status=Status.EXPIRED)
    return took


def measure(queued: int = QUEUED, rounds: int = ROUNDS) -> list[Row]:
    person = make_person("helpdesk", "helpdesk")
    quiet, full, blocked = (make_account(name) for name in ("Quiet", "Full", "Blocked"))
    for _ in range(RUNS):
        _add(empty_run(full, person, queued // RUNS), queued // RUNS, busy_every=5)
    _add(empty_run(blocked, person, queued // 2), queued // 2, busy_every=1)
    for _ in range(RUNS):
        _add(empty_run(blocked, person, queued // 2 // RUNS), queued // 2 // RUNS)
    # Behind all that is busy: whoever goes on asking for machines that run already must not stop the others.
    Command.objects.filter(account=blocked, status=Status.QUEUED, run__devices=queued // 2 // RUNS).update(
        queue_position=queued
    )
    floor = median(_few(quiet, person, rounds))
    of_full = median(_claimed(full, 10) for _ in range(rounds))
    of_blocked = median(_claimed(blocked, 10) for _ in range(rounds))
    name = f"claims: one of {queued} queued"
    return [
        times_floor(f"{name} in {RUNS} runs, every fifth machine busy", of_full, "ms", floor=floor, goal=GOAL_RATIO),
        times_floor(
            f"{name}, behind {queued // 2} whose machines are busy", of_blocked, "ms", floor=floor, goal=GOAL_BEHIND
        ),
    ]
