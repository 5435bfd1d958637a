"""Keys in place of sentences, because rules decide on codes. The folder `wording/` turns them off again."""

from collections.abc import Iterator

import pytest

from tests.wording_keys import keys_for_sentences


@pytest.fixture(autouse=True)
def sentences_are_keys() -> Iterator[None]:
    """Replace sentences for one test at a time, because a worker of xdist runs tests of other folders too."""
    with keys_for_sentences():
        yield
