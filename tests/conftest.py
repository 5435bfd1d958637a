"""Fixtures and hooks of all tests. They decide what is collected, and must not start any server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

pytest_plugins = ["tests.flush_events"]

SERVICES = os.environ.get("DEXPORTAL_SERVICES") == "1"
TESTS = Path(__file__).resolve().parent
SERVICES_FOLDERS = (TESTS / "services", TESTS / "faults")  # faults: runs of the whole portal with real processes
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_reset_sequences"}

# No deadline: on a busy machine a slow example says nothing about the code.
hypothesis_settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("house")

collect_ignore = [] if SERVICES else [folder.name for folder in SERVICES_FOLDERS]


@pytest.fixture(scope="session", autouse=True)
def _fast_passwords() -> Iterator[None]:
    """Replace the password hasher, which is slow on purpose."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


def pytest_report_header() -> str:
    if SERVICES:
        return "collected: tests/services, tests/faults, and all other tests that use the database"
    return "tests/services and tests/faults are not collected: run them with `make test-services`"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    deselected = [item for item in items if not _is_selected(item, config.option.markexpr)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def _is_selected(item: pytest.Item, markers: str) -> bool:
    """Select the tests of this run.

    Tests of a real account need `-m verification`. With the services, other tests run only if they use the database,
    because only the database differs there.
    """
    if item.get_closest_marker("verification") and "verification" not in markers:
        return False
    is_service = any(item.path.is_relative_to(folder) for folder in SERVICES_FOLDERS)
    return not SERVICES or is_service or _uses_the_database(item)


def _uses_the_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)
