"""Whether a command's result rests where it should: pure, for `compare.py`.

Whoever succeeded at Cloudflare has a file there, so it has one here, or the ledger shows what was in the way: the
simulator notes each time that a file was asked for, with the faults of that answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from commands.rules.states import HAS_FILE, ArtifactStatus, Status

ATTEMPTS = 3  # as the settings say; with the last one a file rests
UPSET_FOR = timedelta(seconds=30)  # as long as three attempts take, with their pauses

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
    """The artifact of a command, and since when it rests. `is_there`: the storage has it, in its length."""

    status: ArtifactStatus
    at: datetime | None = None
    words: str = ""
    is_there: bool = False


class Fetched(Protocol):
    @property
    def fetched(self) -> Sequence[Sequence[str]]: ...


@dataclass(frozen=True)
class Mishaps:
    """What may have cost a file its attempts without a trace in the ledger: deaths of fetching workers, and `upsets`.

    That is when Cloudflare hung, or its clock was set, which makes files of a moment ago unknown there.
    """

    deaths: int = 0
    upsets: Sequence[datetime] = ()

    def just_before(self, at: datetime | None) -> bool:
        return at is not None and any(timedelta() <= at - upset <= UPSET_FOR for upset in self.upsets)


def fault_of_file(name: str, status: Status, file: Filed | None, entry: Fetched | None, mishaps: Mishaps) -> list[str]:
    """What is wrong with it, if anything."""
    if status is not Status.SUCCESS or entry is None:
        return [f"{name} is {status} and has a file that is {file.status}"] if file else []
    if file is None:
        return [f"{name} succeeded, but nobody wants its file"]
    if file.status in HAS_FILE:
        return [] if file.is_there else [f"{name}: its file is {file.status}, but the storage does not have it whole"]
    if _is_explained(file, entry.fetched, mishaps):
        return []
    return [f"{name}: its file is {file.status} ({file.words}); asked for it met {list(entry.fetched)}"]


def _is_explained(file: Filed, fetched: Sequence[Sequence[str]], mishaps: Mishaps) -> bool:
    broken = sum(1 for faults in fetched if BREAKING.intersection(faults))
    if file.status is ArtifactStatus.REFUSED:
        return mishaps.just_before(file.at) or (broken > 0 and broken + mishaps.deaths >= ATTEMPTS)
    if file.status is ArtifactStatus.GONE:
        return mishaps.just_before(file.at) or sum("error" in faults for faults in fetched) >= ATTEMPTS
    return False
