"""English sentences made from codes. Pages, emails, admin and exports take their sentences from this package.

A module of this package holds one subject. It maps codes to sentences and decides nothing.
"""

from collections.abc import Mapping
from enum import StrEnum


def sentence[Code: StrEnum](table: Mapping[Code, str], code: Code, **values: object) -> str:
    """Return the sentence of a code, with the values in its fields."""
    return table[code].format(**values)


def sentence_for_count[Code: StrEnum](table: Mapping[Code, tuple[str, str]], code: Code, count: int) -> str:
    """Return the sentence of a code about one thing, or about another number of them."""
    of_one, of_many = table[code]
    return (of_one if count == 1 else of_many).format(count=count)
