"""Time of one claim from 10 000 queued commands of several runs, with many devices busy.

Floor: a claim in an account whose queue holds only the commands of one POST.
"""

from uuid import uuid4

from benchmarks.fixtures import PCAP, empty_run, now
from benchmarks.results import ResultRow, median, milliseconds, result_row_by_ratio
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


def _queue_commands(run: Run, number: int, *, busy_every: int = 0) -> list[str]:
    """Queue commands on new devices, one on each, and return the device ids.

    Every `busy_every`th device already has a command of the same kind in flight.
    """
    at, kind, options = now(), *next(iter(PCAP.items()))
    last_position = AccountSync.objects.get(account=run.account).queue_position
    devices = [str(uuid4()) for _ in range(number)]
    common = {"account": run.account, "run": run, "requested_by": run.requested_by, "requested_at": at, "kind": kind}
    common |= {"options": options, "status_at": at, "platform": "mac", "version": 1}
    queued = [
        Command(
            id=new_id(at),
            device_id=device,
            status=Status.QUEUED,
            queue_position=last_position + position,
            expires_at=at.replace(year=at.year + 1),
            **common,
        )
        for position, device in enumerate(devices, start=1)
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


def _claim_milliseconds(account: Account, commands: int) -> float:
    def run() -> None:
        claimed = claim(account, now=now())
        assert claimed
        assert len(claimed.commands) == commands

    duration = milliseconds(run)
    Dispatch.objects.filter(account=account).update(outcome=Dispatch.Outcome.CREATED)
    return duration


def _short_queue_milliseconds(account: Account, person: User, rounds: int) -> list[float]:
    """Measure claims from a queue that holds only the commands of one POST."""
    durations = []
    for _ in range(rounds):
        _queue_commands(empty_run(account, person, 10), 10)
        durations.append(_claim_milliseconds(account, 10))
        Command.objects.filter(account=account, status=Status.SENDING).update(status=Status.EXPIRED)
    return durations


def measure(queued: int = QUEUED, rounds: int = ROUNDS) -> list[ResultRow]:
    person = make_person("helpdesk", "helpdesk")
    short, full, blocked = (make_account(name) for name in ("Short", "Full", "Blocked"))
    for _ in range(RUNS):
        _queue_commands(empty_run(full, person, queued // RUNS), queued // RUNS, busy_every=5)
    _queue_commands(empty_run(blocked, person, queued // 2), queued // 2, busy_every=1)
    for _ in range(RUNS):
        _queue_commands(empty_run(blocked, person, queued // 2 // RUNS), queued // 2 // RUNS)
    # Put these runs behind all commands for busy devices: those must not keep a claim from the commands behind them.
    Command.objects.filter(account=blocked, status=Status.QUEUED, run__devices=queued // 2 // RUNS).update(
        queue_position=queued
    )
    floor = median(_short_queue_milliseconds(short, person, rounds))
    of_full = median(_claim_milliseconds(full, 10) for _ in range(rounds))
    of_blocked = median(_claim_milliseconds(blocked, 10) for _ in range(rounds))
    name = f"claims: one of {queued} queued"
    return [
        result_row_by_ratio(
            f"{name} in {RUNS} runs, every fifth machine busy", of_full, "ms", floor=floor, goal=GOAL_RATIO
        ),
        result_row_by_ratio(
            f"{name}, behind {queued // 2} whose machines are busy", of_blocked, "ms", floor=floor, goal=GOAL_BEHIND
        ),
    ]
