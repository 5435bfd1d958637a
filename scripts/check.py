"""Checks of `make check`: they read the code, and do not run tests.

All of them run, side by side, even if one fails. The output of the failed ones is printed at the end.
"""

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
    command: Sequence[str]


@dataclass(frozen=True)
class Result:
    step: Step
    failed: bool
    output: str
    seconds: float


def template_paths() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / "templates").rglob("*.html"))]


def steps() -> list[Step]:
    return [
        Step("types", (str(BIN / "mypy"),)),  # the slowest is first, so that the others run beside it
        Step("style", (str(BIN / "ruff"), "check", ".")),
        Step("format", (str(BIN / "ruff"), "format", "--check", ".")),
        Step("imports", (str(BIN / "lint-imports"), "--no-logo")),
        Step("template style", (str(BIN / "djade"), "--check", *template_paths())),
        Step("templates", (sys.executable, "-m", "scripts.compile_templates")),
        Step("migrations", (*MANAGE, "makemigrations", "--check", "--dry-run")),
        Step("state diagram", (*MANAGE, "states_diagram", "--check")),
        Step("project rules", (sys.executable, "-m", "scripts.project_rules")),
    ]


def run(step: Step) -> Result:
    started = monotonic()
    environment = {**os.environ, "VAR_DIR": str(ROOT / "build" / "check")}  # leaves var/ of `make run` untouched
    process = subprocess.run(
        step.command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(step, process.returncode != 0, process.stdout, monotonic() - started)


def main(checks: Sequence[Step]) -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = []
        for result in pool.map(run, checks):
            print(f"{result.step.name:24}{'FAILED' if result.failed else 'ok':8}{result.seconds:6.1f} s", flush=True)
            results.append(result)
    failures = [result for result in results if result.failed]
    for result in failures:
        print(f"\n--- {result.step.name}: {' '.join(result.step.command)}\n{result.output.rstrip()}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(steps()))
