"""Whether a command's result rests where it should: pure, for `compare.py`.

Whoever succeeded at Cloudflare has a file there, so it has one here, or the ledger shows what was in the way: the
simulator notes each time that a file was asked for, with the faults of that answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from commands.states import HAS_FILE, ArtifactStatus, Status

ATTEMPTS = 3  # as the settings say; with the last one a file rests

BREAKING = frozenset(
    {
        "hang",
        "reset",
        "error",
        "throttle",
        "success_false",
        "redirect",
        "null_result",
        "truncated_json",
        "invalid_json",
        "html_body",
        "gzip",
        "cut_short",
        "drip",
        "wrong_length",
    }
)
"""The faults that can keep a file from coming whole. A tag that is weak or missing, or a wrong date, cannot."""


@dataclass(frozen=True)
class Filed:
    """The artifact of a command. `is_there`: the storage has it, in its length."""

    status: ArtifactStatus
    words: str = ""
    is_there: bool = False


class Fetched(Protocol):
    @property
    def fetched(self) -> Sequence[Sequence[str]]: ...


def fault_of_file(name: str, status: Status, file: Filed | None, entry: Fetched | None, deaths: int) -> list[str]:
    """What is wrong with it, if anything. `deaths`: of fetching workers, each of which may have cost an attempt."""
    if status is not Status.SUCCESS or entry is None:
        return [f"{name} is {status} and has a file that is {file.status}"] if file else []
    if file is None:
        return [f"{name} succeeded, but nobody wants its file"]
    if file.status in HAS_FILE:
        return [] if file.is_there else [f"{name}: its file is {file.status}, but the storage does not have it whole"]
    broken = sum(1 for faults in entry.fetched if BREAKING.intersection(faults))
    told = f"{name}: its file is {file.status} ({file.words}); {broken} of {len(entry.fetched)} answers were broken"
    if file.status is ArtifactStatus.REFUSED and broken and broken + deaths >= ATTEMPTS:
        return []
    if file.status is ArtifactStatus.GONE and sum("error" in faults for faults in entry.fetched) >= ATTEMPTS:
        return []
    return [told]
