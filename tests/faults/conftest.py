"""Collection of the fault runs, which need PostgreSQL and Redis. A header line names the skipped files."""

from tests.servers import postgresql_folder, redis_server

NEED_SERVERS = ["test_short_run.py", "test_saved_schedules.py", "test_broker.py", "test_post_record_gap.py"]
MISSING = [
    name
    for name, available in (("PostgreSQL", postgresql_folder() is not None), ("Redis", redis_server() is not None))
    if not available
]
collect_ignore = NEED_SERVERS if MISSING else []


def pytest_report_header() -> list[str]:
    return [f"not collected without {' and '.join(MISSING)}: {', '.join(NEED_SERVERS)}"] if MISSING else []
