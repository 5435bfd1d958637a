"""Whole fault runs need PostgreSQL and Redis; where they are missing one line says what is not collected."""

from tests.servers import postgresql_folder, redis_server

RUNS = ["test_short_run.py", "test_kept_schedules.py", "test_broker.py", "test_between.py"]
MISSING = [
    name
    for name, found in (("PostgreSQL", postgresql_folder() is not None), ("Redis", redis_server() is not None))
    if not found
]
collect_ignore = RUNS if MISSING else []


def pytest_report_header() -> list[str]:
    return [f"not collected without {' and '.join(MISSING)}: {', '.join(RUNS)}"] if MISSING else []
