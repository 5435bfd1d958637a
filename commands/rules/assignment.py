"""Maximum bipartite matching by augmenting paths: as many takers as possible get one of the things they may take.

Pure, and without knowledge of commands. Earlier takers keep their first choice unless another would get nothing.
"""

from collections import deque
from collections.abc import Hashable, Mapping, Sequence


def assign[Taker: Hashable, Taken: Hashable](choices: Mapping[Taker, Sequence[Taken]]) -> dict[Taken, Taker]:
    """Return the taker of each thing that is taken. Takers and choices are in order of preference."""
    taken: dict[Taken, Taker] = {}
    for taker in choices:
        _augment(taker, choices, taken)
    return taken


def _augment[Taker: Hashable, Taken: Hashable](
    start: Taker, choices: Mapping[Taker, Sequence[Taken]], taken: dict[Taken, Taker]
) -> None:
    """Find a thing for this taker. If necessary, other takers change to another choice of theirs."""
    came_from: dict[Taken, Taker] = {}
    queue = deque([start])
    while queue:
        taker = queue.popleft()
        reached = [choice for choice in choices[taker] if choice not in came_from]
        came_from.update(dict.fromkeys(reached, taker))
        free = next((choice for choice in reached if choice not in taken), None)
        if free is not None:
            _shift(free, choices, taken, came_from)
            return
        queue.extend(taken[choice] for choice in reached)


def _shift[Taker: Hashable, Taken: Hashable](
    free: Taken,
    choices: Mapping[Taker, Sequence[Taken]],
    taken: dict[Taken, Taker],
    came_from: Mapping[Taken, Taker],
) -> None:
    """Walk the path back from the free thing: each taker takes the thing it reached, and leaves its own."""
    step: Taken | None = free
    while step is not None:
        taker = came_from[step]
        left = next((choice for choice in choices[taker] if taken.get(choice) == taker), None)
        taken[step] = taker
        step = left
