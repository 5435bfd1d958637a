"""`make bench`: every benchmark, or those that are named, each in a process of its own with an empty database.

Prints a table and writes build/bench.json. PostgreSQL and Redis are its own, fresh for each benchmark; nothing else on
the machine is touched. The exit status is 1 where a benchmark broke, not where a goal was missed.
"""

import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from scripts.services import install, stop
from tests import servers

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "build" / "bench.json"
SQLITE_TOO = ("ask", "send", "sync", "claims", "pages")
NEEDS_REDIS = ("accounts",)
NO_BENCHMARKS = ("__main__", "company", "figures", "one")


def names() -> list[str]:
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return [module.name for module in modules if not module.ispkg and module.name not in NO_BENCHMARKS]


def measured(name: str, database: str) -> list[dict[str, Any]] | None:
    """The rows of one benchmark on PostgreSQL or SQLite; None where it broke."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=servers.BUILD, prefix="bench-")))
        given = {"VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "dexportal.settings", "LOG_LEVEL": "ERROR"}
        if database == "PostgreSQL":
            given["DATABASE_URL"] = stack.enter_context(servers.postgresql())
        if servers.redis_server():
            given["REDIS_URL"] = stack.enter_context(servers.redis())
        file = folder / "rows.json"
        words = [sys.executable, "-m", "benchmarks.one", name, str(file)]
        if subprocess.run(words, cwd=ROOT, env=_environment(given), check=False).returncode:
            return None
        rows: list[dict[str, Any]] = json.loads(file.read_text())
    suffix = f" ({database})" if name in SQLITE_TOO else ""
    return [{**row, "name": f"{row['name']}{suffix}"} for row in rows]


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Ours without what would lead to somebody's database, broker or account."""
    foreign = ("CLOUDFLARE_", "DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PUBLIC_URL", "TIME_SCALE", "SIMULATOR_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**ours, **given}


def line(row: Mapping[str, Any]) -> str:
    verdict = "met" if row["met"] else "MISSED"
    value, floor = f"{row['value']} {row['unit']}", f"{row['floor']} {row['unit']}"
    return f"{row['name']:<78} {value:>14} {floor:>14} {row['ratio']:>8}x {row['goal']:>8} {verdict}"


def ready() -> bool:
    """Whether PostgreSQL is here; as root, what is missing is installed."""
    absent = [
        package
        for package, found in (
            ("postgresql", servers.postgresql_folder()),
            ("redis-server", servers.redis_server()),
        )
        if found is None
    ]
    if absent:
        install(absent)
    if servers.postgresql_folder() is None:
        print("bench: PostgreSQL is not installed.", file=sys.stderr)
        return False
    return True


def main(wanted: Sequence[str]) -> int:
    if strange := set(wanted) - set(names()):
        print(f"bench: there is no {', '.join(sorted(strange))}; there are {', '.join(names())}.", file=sys.stderr)
        return 2
    if not ready():
        return 1
    RESULT.parent.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    broken = []
    print(f"{'what':<78} {'value':>14} {'floor':>14} {'ratio':>9} {'goal':>8}")
    for name in wanted or names():
        if name in NEEDS_REDIS and servers.redis_server() is None:
            print(f"bench: {name} is left out, Redis is not installed.")
            continue
        for database in ("PostgreSQL", "SQLite") if name in SQLITE_TOO else ("PostgreSQL",):
            found = measured(name, database)
            if found is None:
                broken.append(f"{name} on {database}")
                continue
            rows += found
            print("\n".join(map(line, found)), flush=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    missed = sum(not row["met"] for row in rows)
    print(f"{missed} of {len(rows)} goals missed; load {os.getloadavg()[0]:.1f} of the last minute.")
    if broken:
        print(f"bench: broke: {', '.join(broken)}", file=sys.stderr)
    return bool(broken)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(sys.argv[1:]))
