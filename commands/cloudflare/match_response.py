"""Which answer of a POST belongs to which command that was asked for. Pure; it never guesses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from commands.cloudflare.types import Created, NewCommand


@dataclass(frozen=True, slots=True)
class Pairing:
    """`pairs` are (index of the asked command, its answer); `missing` the indices without one."""

    pairs: tuple[tuple[int, Created], ...]
    missing: tuple[int, ...]
    unmatched: tuple[Created, ...]


def pair(asked: Sequence[NewCommand], created: Sequence[Created]) -> Pairing:
    """Match by device and kind, the registration only where both sides have one.

    Where two commands could claim one answer, or two answers one command, none gets it: a wrong id would be
    worse than an unknown one, which the listing settles. An answer without an id, or with the id of
    another answer, is a stranger.
    """
    answers = list(dict.fromkeys(created))
    ids = Counter(answer.id for answer in answers)
    usable = [answer for answer in answers if answer.id and ids[answer.id] == 1]
    pairs = _only_choices(asked, usable, exact=True)
    taken = dict(pairs)
    left = [answer for answer in usable if answer not in taken.values()]
    open_items = {index: item for index, item in enumerate(asked) if index not in taken}
    pairs += [
        (list(open_items)[index], answer)
        for index, answer in _only_choices(list(open_items.values()), left, exact=False)
    ]
    matched = dict(pairs)
    return Pairing(
        pairs=tuple(sorted(pairs, key=lambda found: found[0])),
        missing=tuple(index for index in range(len(asked)) if index not in matched),
        unmatched=tuple(answer for answer in answers if answer not in matched.values()),
    )


def _only_choices(asked: Sequence[NewCommand], created: Sequence[Created], *, exact: bool) -> list[tuple[int, Created]]:
    """The pairs in which each side is the other's only candidate."""
    fits = [(i, j) for i, item in enumerate(asked) for j, answer in enumerate(created) if _fits(item, answer, exact)]
    items, answers = Counter(i for i, _ in fits), Counter(j for _, j in fits)
    return [(i, created[j]) for i, j in fits if items[i] == 1 and answers[j] == 1]


def _fits(item: NewCommand, answer: Created, exact: bool) -> bool:
    if (_plain(item.device_id), item.kind) != (answer.device_id, answer.kind):
        return False
    registration = _plain(item.registration_id)
    if registration and answer.registration_id:
        return registration == answer.registration_id
    return not exact


def _plain(text: str) -> str:
    return text.strip().lower()
