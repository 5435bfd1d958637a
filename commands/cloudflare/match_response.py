"""Matching of the commands in a POST's response to the commands that the POST requested.

Cloudflare documents no order of the response, and gives no other reference to the request. So a command is matched by
its device and kind. This module never guesses: a wrong id would be worse than a missing one, which the next listings
find.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from commands.cloudflare.types import Created, NewCommand


@dataclass(frozen=True, slots=True)
class Pairing:
    """Result of `pair`, by the index of a requested command."""

    pairs: tuple[tuple[int, Created], ...]  # (index, created command), sorted by index
    missing: tuple[int, ...]  # indices without a created command
    unmatched: tuple[Created, ...]  # created commands without an index


def pair(requested: Sequence[NewCommand], created: Sequence[Created]) -> Pairing:
    """Pair requested and created commands of the same device and kind.

    Registrations must be equal where both sides have one. Pairs with equal registrations are made first, then pairs in
    which a side has none. A pair is made only if each side is the only candidate of the other. A created command
    without an id, or with an id that another one has too, stays unmatched.
    """
    distinct = list(dict.fromkeys(created))
    ids = Counter(entry.id for entry in distinct)
    usable = [entry for entry in distinct if entry.id and ids[entry.id] == 1]
    pairs = _unambiguous_pairs(requested, usable, exact=True)
    taken = dict(pairs)
    left = [entry for entry in usable if entry not in taken.values()]
    open_items = {index: item for index, item in enumerate(requested) if index not in taken}
    pairs += [
        (list(open_items)[index], entry)
        for index, entry in _unambiguous_pairs(list(open_items.values()), left, exact=False)
    ]
    matched = dict(pairs)
    return Pairing(
        pairs=tuple(sorted(pairs, key=lambda index_and_entry: index_and_entry[0])),
        missing=tuple(index for index in range(len(requested)) if index not in matched),
        unmatched=tuple(entry for entry in distinct if entry not in matched.values()),
    )


def _unambiguous_pairs(
    requested: Sequence[NewCommand], created: Sequence[Created], *, exact: bool
) -> list[tuple[int, Created]]:
    """Return the pairs in which each side is the only candidate of the other."""
    fits = [(i, j) for i, item in enumerate(requested) for j, entry in enumerate(created) if _fits(item, entry, exact)]
    items, entries = Counter(i for i, _ in fits), Counter(j for _, j in fits)
    return [(i, created[j]) for i, j in fits if items[i] == 1 and entries[j] == 1]


def _fits(item: NewCommand, entry: Created, exact: bool) -> bool:
    """Compare device, kind and registration. `exact`: both sides must have a registration."""
    if (_normalized(item.device_id), item.kind) != (entry.device_id, entry.kind):
        return False
    registration = _normalized(item.registration_id)
    if registration and entry.registration_id:
        return registration == entry.registration_id
    return not exact


def _normalized(text: str) -> str:
    return text.strip().lower()
