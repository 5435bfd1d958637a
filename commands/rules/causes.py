"""Why a command failed, or brought back only a part: what can be known, in words, each with how sure we are.

Cloudflare gives no reason for a failure. What it documents about failures, held against the times of a command and what
else ran on its machine, often names one all the same. Pure: facts in, causes out, the likeliest first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from commands.rules.kinds import CAPTURES, OFFLINE_TIMEOUT, SPECS, Kind, Options, deadline
from commands.rules.states import Status

AT_ONCE = 0.15  # of the offline time-out: what fails so soon never began to work
NEAR = 0.12  # so much of a length of time counts as "about"
DEFAULT_MEGABYTES = 5  # of a capture
DIAG_MEGABYTES = 100  # what Cloudflare takes of a WARP diag for which nobody chose less
QUICKEST_DIAG = timedelta(seconds=20)  # what fails sooner has collected nothing that could be too large


class Sure(StrEnum):
    """How sure we are; the value is the word for people."""

    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Cause:
    code: str
    sentence: str
    sure: Sure

    @property
    def words(self) -> str:
        """The sentence with its confidence, such as "Likely: the device …"."""
        return f"{self.sure.capitalize()}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Facts:
    """One command, as Cloudflare told of it. `created_at` and `ended_at` by Cloudflare's clock, None where not told.

    `captures_beside`: other captures ran on the machine meanwhile.
    `offline_timeout` and `scale` are those of a simulated, quicker world.
    """

    status: Status
    kind: str
    options: Options
    platform: str = ""
    created_at: datetime | None = None
    ended_at: datetime | None = None
    captures_beside: bool = False
    offline_timeout: timedelta = OFFLINE_TIMEOUT
    scale: float = 1.0

    @property
    def took(self) -> timedelta | None:
        return self.ended_at - self.created_at if self.ended_at and self.created_at else None

    @property
    def is_capture_on_windows(self) -> bool:
        return self.platform == "windows" and self.kind in CAPTURES


def causes(facts: Facts) -> tuple[Cause, ...]:
    """What may have been the cause of a failure; empty where nothing can be said."""
    if facts.kind not in set(Kind) or facts.status is not Status.FAILED:
        return ()
    # Of causes that are as sure as each other the commoner comes first.
    found = [*_other_capture(facts), *_capture_too_large(facts), *_not_connected(facts), *_bundle_too_large(facts)]
    return tuple(sorted(found, key=lambda cause: list(Sure).index(cause.sure)))


def may_run_until(kind: Kind, options: Options, sent_by: datetime, *, scale: float = 1.0) -> datetime:
    """The latest time at which a command that was sent by then may still run or upload."""
    return sent_by + deadline(kind, options) / scale


def missing_captures(kind: str, options: Options, files: Collection[str]) -> tuple[str, ...]:
    """Return the requested captures that are not in the zip. Other kinds promise no particular file."""
    if kind != Kind.PCAP:
        return ()
    chosen = options.get("interfaces")
    interfaces = chosen if isinstance(chosen, list) and chosen else ("default", "tunnel")
    stems = {name.rpartition("/")[2].rpartition(".")[0] for name in files if name.endswith((".pcap", ".pcapng"))}
    return tuple(name for name in interfaces if f"capture-{name}" not in stems)


def _not_connected(facts: Facts) -> tuple[Cause, ...]:
    """Cloudflare gives up on a device that is not connected after 10 minutes."""
    sentence = "the device was not connected to Cloudflare for 10 minutes."
    if facts.took is None or not _about(facts.took, facts.offline_timeout):
        return ()
    own = SPECS[Kind(facts.kind)].run_time(facts.options) / facts.scale
    sure = Sure.POSSIBLE if _about(facts.took, own) else Sure.LIKELY
    return (Cause("not_connected", sentence, sure),)


def _other_capture(facts: Facts) -> tuple[Cause, ...]:
    """On Windows a second capture fails at once; so does one while pktmon runs, or on some non-English systems."""
    if not facts.is_capture_on_windows:
        return ()
    is_soon = facts.took is not None and facts.took <= facts.offline_timeout * AT_ONCE
    if facts.captures_beside:
        sure = Sure.LIKELY if is_soon or facts.took is None else Sure.POSSIBLE
        return (Cause("other_capture", "another capture ran on this Windows device at the same time.", sure),)
    if not is_soon:
        return ()
    sentence = "another capture or pktmon ran on this Windows device, or its system language got in the way."
    return (Cause("windows", sentence, Sure.POSSIBLE),)


def _capture_too_large(facts: Facts) -> tuple[Cause, ...]:
    """What grows past its limit is not uploaded; that shows only when the whole time of the capture is over."""
    if facts.kind != Kind.PCAP or facts.took is None:
        return ()
    own = SPECS[Kind.PCAP].run_time(facts.options) / facts.scale
    if not own <= facts.took <= _over_at(own, facts):
        return ()
    size = facts.options.get("max-file-size-mb", DEFAULT_MEGABYTES)
    sure = Sure.POSSIBLE if _about(facts.took, facts.offline_timeout) else Sure.LIKELY
    return (Cause("too_large", f"the capture grew larger than its limit of {size} MB, and was not uploaded.", sure),)


def _bundle_too_large(facts: Facts) -> tuple[Cause, ...]:
    """The same of a WARP diag. It has no time of its own, only a longest one: so this is never more than possible."""
    if facts.kind != Kind.WARP_DIAG or facts.took is None:
        return ()
    longest = SPECS[Kind.WARP_DIAG].run_time(facts.options) / facts.scale
    if not QUICKEST_DIAG / facts.scale <= facts.took <= _over_at(longest, facts):
        return ()
    size = facts.options.get("max-file-size-mb", DIAG_MEGABYTES)
    sentence = f"the bundle grew larger than its limit of {size} MB, and was not uploaded."
    return (Cause("too_large", sentence, Sure.POSSIBLE),)


def _over_at(work: timedelta, facts: Facts) -> timedelta:
    """By when a device that worked for so long has given up the upload of what is too large."""
    return work + work * NEAR + facts.offline_timeout * AT_ONCE


def _about(one: timedelta, other: timedelta) -> bool:
    return abs(one - other) <= other * NEAR
