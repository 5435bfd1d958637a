"""What every test shares. It decides what is collected, and must not start anything by itself."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

pytest_plugins = ["tests.flushing"]

SERVICES = os.environ.get("DEXPORTAL_SERVICES") == "1"
HERE = Path(__file__).resolve().parent
SERVICES_FOLDERS = (HERE / "services", HERE / "faults")  # the latter: whole runs of real processes
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_reset_sequences"}

# A busy machine is slow; that says nothing of what is tested.
hypothesis_settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("house")

collect_ignore = [] if SERVICES else [folder.name for folder in SERVICES_FOLDERS]


@pytest.fixture(scope="session", autouse=True)
def _fast_passwords() -> Iterator[None]:
    """The real hasher takes its time on purpose, which no test is about."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


def pytest_report_header() -> str:
    if SERVICES:
        return "collected: tests/services and tests/faults, and of the others those that use the database"
    return "tests/services and tests/faults are not collected: they belong to `make test-services`"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unwanted = [item for item in items if not _is_wanted(item, config.option.markexpr)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


def _is_wanted(item: pytest.Item, markers: str) -> bool:
    """A real account is called only when asked for by name; beside the services only the database is another one."""
    if item.get_closest_marker("verification") and "verification" not in markers:
        return False
    is_service = any(item.path.is_relative_to(folder) for folder in SERVICES_FOLDERS)
    return not SERVICES or is_service or _uses_the_database(item)


def _uses_the_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)
