"""Collection of the tests of the production portal, which need PostgreSQL and Redis."""

from tests.servers import postgresql_folder, redis_server

_MISSING = [
    name for name, available in (("PostgreSQL", postgresql_folder()), ("Redis", redis_server())) if not available
]

collect_ignore_glob = ["test_[!d]*.py"] if _MISSING else []  # test_docker_files.py only reads files


def pytest_report_header() -> list[str]:
    return [f"not collected without {name}: tests of the production portal" for name in _MISSING]
