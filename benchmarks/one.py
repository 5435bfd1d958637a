"""Runs one benchmark in a process of its own: `python -m benchmarks.one NAME FILE`.

The environment says which database. Here it is migrated; the rows go to FILE as JSON.
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
