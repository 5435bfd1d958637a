"""Decides whether the portal can be run as in production on this machine: it wants servers of its own."""

from tests.servers import postgresql_folder, redis_server

_MISSING = [name for name, found in (("PostgreSQL", postgresql_folder()), ("Redis", redis_server())) if not found]

collect_ignore_glob = ["test_[!d]*.py"] if _MISSING else []  # what is only described can always be read


def pytest_report_header() -> list[str]:
    return [f"not collected without {name}: the portal as in production" for name in _MISSING]
