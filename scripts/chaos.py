"""`make chaos N=… SEED=…`: the long fault run. Its last line is the verdict; its status 0 only if nothing is wrong.

Starts servers of its own and stops them whatever happens. A run that failed says how to run it again, and keeps its
schedule beside its logs; copied to tests/faults/schedules/ it is a test.
"""

import argparse
import resource
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.faults.drive import Order, Outcome, run
from tests.faults.schedule import Schedule
from tests.servers import BUILD, ServerError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="chaos", description="The whole portal under every fault there is")
    made.add_argument("commands", type=int, nargs="?", default=10_000)
    made.add_argument("seed", type=int, nargs="?", default=1)
    made.add_argument("--accounts", type=int, default=20)
    made.add_argument("--cycle", type=float, default=120, help="seconds for every fault once")
    made.add_argument("--least", type=float, default=0, help="seconds over which the asking and the faults are spread")
    made.add_argument("--time", type=float, default=3600, help="seconds after which they end anyway")
    made.add_argument("--schedule", type=Path, help="a kept schedule, to be run again")
    return made


def order(words: list[str]) -> Order:
    given = parser().parse_args(words)
    if given.schedule:
        kept = Schedule.read(given.schedule)
        least = max((step.at for step in kept.steps), default=0.0)
        return Order(kept.commands, kept.accounts, kept.seed, least=least, steps=kept.steps, kill_at=kept.kill_at)
    return Order(given.commands, given.accounts, given.seed, given.cycle, given.time, given.least)


def tell(outcome: Outcome) -> None:
    verdict = outcome.verdict
    for name, findings in (
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("stuck", verdict.stuck),
        ("wrong", verdict.wrong),
    ):
        for finding in findings[:50]:
            print(f"{name}: {finding}")
    if not verdict.is_clean:
        kept = BUILD / f"chaos-{outcome.schedule.seed}-{outcome.schedule.commands}.json"
        kept.write_text(outcome.schedule.to_json())
        for step in outcome.schedule.steps:
            print(step)
        print(f"Again: make chaos N={outcome.schedule.commands} SEED={outcome.schedule.seed}")
        print(f"Kept: {kept}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of all processes, the killed ones too
    seconds = used.ru_utime + used.ru_stime
    print(f"{seconds:.0f} seconds of processor time, {1000 * seconds / max(1, verdict.commands):.0f} ms a command")
    if verdict.wrong:
        print(f"{len(verdict.wrong)} wrong otherwise (histories, files, imports)")
    print(verdict.line(), flush=True)


def stop(number: int, _frame: FrameType | None) -> None:
    """As Ctrl-C does: through every `finally`, so that nothing is left."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(words: list[str]) -> int:
    signal.signal(signal.SIGTERM, stop)
    try:
        outcome = run(order(words))
    except ServerError as problem:
        print(f"chaos: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    tell(outcome)
    if outcome.verdict.is_clean:
        for folder in BUILD.glob(f"chaos-{outcome.schedule.seed}-*/"):
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if outcome.verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
