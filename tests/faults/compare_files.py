"""Check that the result of each command was stored. Pure, for `compare.py`.

A command that succeeded at Cloudflare has a file there. So the portal must have stored it, or the ledger must show the
faults that prevented it: the simulator records the faults of each download.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from commands.rules.states import HAS_FILE, ArtifactStatus, Status

ATTEMPTS = 3  # the value of the settings; a file is final after the last one
OUTAGE_EFFECT = timedelta(seconds=30)  # three attempts with their pauses take so long

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
"""Faults that can damage a download. A weak or missing ETag and a wrong date cannot."""


@dataclass(frozen=True)
class FileRecord:
    """Artifact of a command. `at`: time of its status. `is_stored`: the storage holds a file of the same length."""

    status: ArtifactStatus
    at: datetime | None = None
    reason_code: str = ""
    is_stored: bool = False


class HasDownloads(Protocol):
    @property
    def fetched(self) -> Sequence[Sequence[str]]: ...


@dataclass(frozen=True)
class UnloggedFailures:
    """Failures of downloads that the ledger does not show: deaths of fetching workers, and `outages`.

    An outage is a time when Cloudflare hung, or when its clock was set, which makes recent files unknown there.
    """

    deaths: int = 0
    outages: Sequence[datetime] = ()

    def explain(self, at: datetime | None) -> bool:
        """Return whether an outage shortly before `at` explains a missing file."""
        return at is not None and any(timedelta() <= at - upset <= OUTAGE_EFFECT for upset in self.outages)


def file_errors(
    name: str, status: Status, file: FileRecord | None, entry: HasDownloads | None, unlogged_failures: UnloggedFailures
) -> list[str]:
    """Return the errors of the command's file."""
    if status is not Status.SUCCESS or entry is None:
        return [f"{name} is {status} but has a file in status {file.status}"] if file else []
    if file is None:
        return [f"{name} succeeded, but has no artifact"]
    if file.status in HAS_FILE:
        return (
            []
            if file.is_stored
            else [f"{name}: its file is {file.status}, but the storage does not hold the complete file"]
        )
    if _is_explained(file, entry.fetched, unlogged_failures):
        return []
    return [f"{name}: its file is {file.status} ({file.reason_code}), and its downloads met {list(entry.fetched)}"]


def _is_explained(file: FileRecord, fetched: Sequence[Sequence[str]], unlogged_failures: UnloggedFailures) -> bool:
    broken = sum(1 for faults in fetched if BREAKING.intersection(faults))
    if file.status is ArtifactStatus.REFUSED:
        return unlogged_failures.explain(file.at) or (broken > 0 and broken + unlogged_failures.deaths >= ATTEMPTS)
    if file.status is ArtifactStatus.GONE:
        return unlogged_failures.explain(file.at) or sum("error" in faults for faults in fetched) >= ATTEMPTS
    return False
