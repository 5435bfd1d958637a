"""What every test shares. It decides what is collected, and must not start anything by itself."""

import os

import pytest

pytest_plugins = ["tests.flushing"]

SERVICES = os.environ.get("DEXPORTAL_SERVICES") == "1"
collect_ignore = [] if SERVICES else ["services"]


def pytest_report_header() -> str | None:
    return None if SERVICES else "tests/services is not collected: it belongs to `make test-services`"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A real account is called only when asked for by name: `-m verification`."""
    if "verification" in config.option.markexpr:
        return
    real = [item for item in items if item.get_closest_marker("verification")]
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]
