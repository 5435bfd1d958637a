"""Repairs of `make fix`: style, format, template style and the state diagram.

It runs the tools of `make check` that can repair what they find, and prints what is left to repair by hand.
"""

import sys
from collections.abc import Sequence

from scripts.check import BIN, MANAGE, Step, run, template_paths


def steps() -> list[Step]:
    return [
        Step("style", (str(BIN / "ruff"), "check", "--fix", ".")),
        Step("format", (str(BIN / "ruff"), "format", ".")),  # after the style, whose repairs may need it
        Step("template style", (str(BIN / "djade"), *template_paths())),
        Step("state diagram", (*MANAGE, "states_diagram")),
    ]


def main(repairs: Sequence[Step]) -> int:
    failures = 0
    for step in repairs:
        result = run(step)
        if result.failed:
            result = run(step)  # djade fails if it changed a file, so only a second failure counts
        failures += result.failed
        print(f"{step.name:24}{'repair by hand' if result.failed else 'ok'}", flush=True)
        if result.failed:
            print(result.output.rstrip())
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(steps()))
