from collections.abc import Iterator

import pytest

from tests.simulator.running import Running


@pytest.fixture
def world() -> Iterator[Running]:
    with Running() as running:
        yield running
