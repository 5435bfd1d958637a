"""`make bench`: run all benchmarks, or the named ones, each in its own process with an empty database.

Print a table and write build/bench.json. Each benchmark gets its own PostgreSQL and Redis servers, so that it touches
nothing else on the machine. The exit status is 1 if a benchmark failed to run. A missed goal does not change it.
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
ALSO_ON_SQLITE = ("submit", "send", "sync", "claims", "pages")
NEEDS_REDIS = ("accounts",)
HELPER_MODULES = ("__main__", "fixtures", "results", "run_one")


def names() -> list[str]:
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return [module.name for module in modules if not module.ispkg and module.name not in HELPER_MODULES]


def run_benchmark(name: str, database: str) -> list[dict[str, Any]] | None:
    """Return the result rows of one benchmark on PostgreSQL or SQLite, or None if it failed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=servers.BUILD, prefix="bench-")))
        variables = {"VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "dexportal.settings", "LOG_LEVEL": "ERROR"}
        if database == "PostgreSQL":
            variables["DATABASE_URL"] = stack.enter_context(servers.postgresql())
        if servers.redis_server():
            variables["REDIS_URL"] = stack.enter_context(servers.redis())
        file = folder / "rows.json"
        command = [sys.executable, "-m", "benchmarks.run_one", name, str(file)]
        if subprocess.run(command, cwd=ROOT, env=_environment(variables), check=False).returncode:
            return None
        rows: list[dict[str, Any]] = json.loads(file.read_text())
    suffix = f" ({database})" if name in ALSO_ON_SQLITE else ""
    return [{**row, "name": f"{row['name']}{suffix}"} for row in rows]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Drop inherited variables that would lead to somebody's database, broker or Cloudflare account."""
    excluded = ("CLOUDFLARE_", "DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PUBLIC_URL", "TIME_SCALE", "SIMULATOR_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
    return {**inherited, **variables}


def table_line(row: Mapping[str, Any]) -> str:
    verdict = "met" if row["met"] else "MISSED"
    value, floor = f"{row['value']} {row['unit']}", f"{row['floor']} {row['unit']}"
    return f"{row['name']:<78} {value:>14} {floor:>14} {row['ratio']:>8}x {row['goal']:>8} {verdict}"


def install_servers() -> bool:
    """Install missing server packages if we are root, and return whether PostgreSQL is available."""
    missing = [
        package
        for package, program in (
            ("postgresql", servers.postgresql_folder()),
            ("redis-server", servers.redis_server()),
        )
        if program is None
    ]
    if missing:
        install(missing)
    if servers.postgresql_folder() is None:
        print("bench: PostgreSQL is not installed.", file=sys.stderr)
        return False
    return True


def main(requested: Sequence[str]) -> int:
    if unknown := set(requested) - set(names()):
        print(
            f"bench: unknown benchmark: {', '.join(sorted(unknown))}. Choose from: {', '.join(names())}.",
            file=sys.stderr,
        )
        return 2
    if not install_servers():
        return 1
    RESULT.parent.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    failed = []
    print(f"{'benchmark':<78} {'value':>14} {'floor':>14} {'ratio':>9} {'goal':>8}")
    for name in requested or names():
        if name in NEEDS_REDIS and servers.redis_server() is None:
            print(f"bench: {name} skipped: Redis is not installed.")
            continue
        for database in ("PostgreSQL", "SQLite") if name in ALSO_ON_SQLITE else ("PostgreSQL",):
            results = run_benchmark(name, database)
            if results is None:
                failed.append(f"{name} on {database}")
                continue
            rows += results
            print("\n".join(map(table_line, results)), flush=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    missed = sum(not row["met"] for row in rows)
    print(f"{missed} of {len(rows)} goals missed. Load average of the last minute: {os.getloadavg()[0]:.1f}.")
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(sys.argv[1:]))
