"""Kill points of the fault run name functions that exist, so that a moved function does not stop its workers."""

from importlib import import_module

import pytest

from tests.faults.kill_points import POINTS, Point


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_kill_point_is_an_existing_function(point: Point) -> None:
    assert callable(getattr(import_module(point.module), point.function))
