"""`python -m benchmarks.run_one NAME FILE`: run one benchmark and write its rows to FILE as JSON.

The environment selects the database, which is migrated first. Each benchmark needs its own process because Django reads
its settings only once.
"""

import importlib
import json
import sys
from pathlib import Path

import django


def main(name: str, file: str) -> None:
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - only after setup()

    call_command("migrate", verbosity=0, interactive=False)
    rows = importlib.import_module(f"benchmarks.{name}").measure()
    Path(file).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
