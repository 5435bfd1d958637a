"""Who takes what: as many as can have one of what each of them may take (maximum bipartite matching).

Pure, and knows nothing of commands. The first in order has its first choice, unless another would go without for it.
"""

from collections import deque
from collections.abc import Hashable, Mapping, Sequence


def assigned[Taker: Hashable, Taken: Hashable](choices: Mapping[Taker, Sequence[Taken]]) -> dict[Taken, Taker]:
    """Who gets each thing that is taken; takers and choices in order of preference (by augmenting paths)."""
    taken: dict[Taken, Taker] = {}
    for taker in choices:
        _augment(taker, choices, taken)
    return taken


def _augment[Taker: Hashable, Taken: Hashable](
    start: Taker, choices: Mapping[Taker, Sequence[Taken]], taken: dict[Taken, Taker]
) -> None:
    """Find something for this one; if need be others go over to another choice of theirs."""
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
    """Walk the path back from what is free: each takes what it reached, and leaves its own."""
    step: Taken | None = free
    while step is not None:
        taker = came_from[step]
        left = next((choice for choice in choices[taker] if taken.get(choice) == taker), None)
        taken[step] = taker
        step = left
