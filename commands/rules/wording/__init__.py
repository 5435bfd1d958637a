"""English sentences made from codes. Pages, emails, admin and exports take their sentences from this package.

A module of this package holds one subject. It maps codes to sentences and decides nothing.
"""

from collections.abc import Mapping
from enum import StrEnum


def sentence[Code: StrEnum](table: Mapping[Code, str], code: Code, **values: object) -> str:
    """Return the sentence of a code, with the values in its fields."""
    return table[code].format(**values)
