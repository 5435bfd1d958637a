from collections.abc import Iterator

import pytest

from tests.simulator.in_process import LocalSimulator


@pytest.fixture
def world() -> Iterator[LocalSimulator]:
    with LocalSimulator() as running:
        yield running
