"""Long fault run, as `make chaos N=… SEED=…` starts it.

The last line of the output is the verdict, and the exit status is 0 only if nothing is wrong. The run starts its own
servers and always stops them. A failed run prints how to repeat it and saves its schedule under build/. A schedule that
is copied to tests/faults/schedules/ becomes a test.
"""

import argparse
import resource
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.faults.fault_run import RunConfig, RunResult, run
from tests.faults.schedule import Schedule
from tests.servers import BUILD, ServerError


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="chaos", description="Runs the whole portal under every kind of fault")
    options.add_argument("commands", type=int, nargs="?", default=10_000, help="how many commands to request")
    options.add_argument("seed", type=int, nargs="?", default=1, help="seed of the schedule of faults")
    options.add_argument("--accounts", type=int, default=20, help="over how many accounts to spread the commands")
    options.add_argument("--cycle", type=float, default=120, help="seconds in which every fault happens once")
    options.add_argument("--least", type=float, default=0, help="seconds that requests and faults last at least")
    options.add_argument("--time", type=float, default=3600, help="seconds after which requests and faults stop")
    options.add_argument("--schedule", type=Path, help="saved schedule to repeat, instead of one made from the seed")
    return options


def read_config(arguments: list[str]) -> RunConfig:
    options = parser().parse_args(arguments)
    if options.schedule:
        saved = Schedule.read(options.schedule)
        min_time = max((step.at for step in saved.steps), default=0.0)
        return RunConfig(
            saved.commands, saved.accounts, saved.seed, min_time=min_time, steps=saved.steps, kill_at=saved.kill_at
        )
    return RunConfig(options.commands, options.accounts, options.seed, options.cycle, options.time, options.least)


def report(result: RunResult) -> None:
    verdict = result.verdict
    for name, findings in (
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("stuck", verdict.stuck),
        ("wrong", verdict.wrong),
    ):
        for finding in findings[:50]:
            print(f"{name}: {finding}")
    if not verdict.is_clean:
        saved = BUILD / f"chaos-{result.schedule.seed}-{result.schedule.commands}.json"
        saved.write_text(result.schedule.to_json())
        for step in result.schedule.steps:
            print(step)
        print(f"Repeat: make chaos N={result.schedule.commands} SEED={result.schedule.seed}")
        print(f"Schedule: {saved}")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # includes processes that were killed
    seconds = usage.ru_utime + usage.ru_stime
    print(f"{seconds:.0f} seconds of processor time, {1000 * seconds / max(1, verdict.commands):.0f} ms per command")
    if verdict.wrong:
        print(f"{len(verdict.wrong)} other errors (histories, files, imports)")
    print(verdict.summary(), flush=True)


def stop(number: int, _frame: FrameType | None) -> None:
    """Stop like Ctrl-C, through every `finally`, so that no server keeps running."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, stop)
    try:
        result = run(read_config(arguments))
    except ServerError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    report(result)
    if result.verdict.is_clean:
        for folder in BUILD.glob(f"chaos-{result.schedule.seed}-*/"):
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if result.verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
