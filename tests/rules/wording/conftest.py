"""Sentences as people read them: tests of this folder assert them."""

import pytest


@pytest.fixture(autouse=True)
def sentences_are_keys() -> None:
    """Override the fixture of `tests/rules/`, so that the sentences stay."""
