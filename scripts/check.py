"""`make check`: every check that reads the code and runs none of it. Runs them all, then says what failed."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MANAGE = (sys.executable, "manage.py")


@dataclass(frozen=True)
class Step:
    name: str
    words: Sequence[str]


@dataclass(frozen=True)
class Result:
    step: Step
    failed: bool
    said: str
    seconds: float


def steps() -> list[Step]:
    """The slowest first, so that the others run beside it."""
    templates = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "templates").rglob("*.html"))]
    return [
        Step("types", (str(BIN / "mypy"),)),
        Step("style", (str(BIN / "ruff"), "check", ".")),
        Step("format", (str(BIN / "ruff"), "format", "--check", ".")),
        Step("imports", (str(BIN / "lint-imports"), "--no-logo")),
        Step("templates' style", (str(BIN / "djade"), "--check", *templates)),
        Step("templates", (sys.executable, "-m", "scripts.compile_templates")),
        Step("migrations", (*MANAGE, "makemigrations", "--check", "--dry-run")),
        Step("drawing of the states", (*MANAGE, "states_diagram", "--check")),
        Step("house rules", (sys.executable, "-m", "scripts.house")),
    ]


def run(step: Step) -> Result:
    begun = monotonic()
    environment = {**os.environ, "VAR_DIR": str(ROOT / "build" / "check")}  # a check leaves var/ alone
    done = subprocess.run(
        step.words,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(step, done.returncode != 0, done.stdout, monotonic() - begun)


def main(order: Sequence[Step]) -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = []
        for result in pool.map(run, order):
            print(f"{result.step.name:24}{'FAILED' if result.failed else 'ok':8}{result.seconds:6.1f} s", flush=True)
            results.append(result)
    failures = [result for result in results if result.failed]
    for result in failures:
        print(f"\n--- {result.step.name}: {' '.join(result.step.words)}\n{result.said.rstrip()}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(steps()))
