"""Probable causes of a failed command, as codes. The sentences are in `wording.causes`.

Cloudflare gives no reason for a failure, but it documents when commands fail. The times of a command, and what
else ran on its machine, often point to one of these causes. Pure: facts in, causes out, the most probable first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from commands.rules.kinds import CAPTURES, OFFLINE_TIMEOUT, SPECS, Kind, Options, deadline
from commands.rules.states import Status

AT_ONCE = 0.15  # share of the offline time-out: a command that fails so soon never began to work
NEAR = 0.12  # two durations are about equal if they differ by this share at most
DEFAULT_MEGABYTES = 5  # of a capture
DIAG_MEGABYTES = 100  # Cloudflare's limit for a WARP diag, unless the request has a lower one
QUICKEST_DIAG = timedelta(seconds=20)  # a diag that fails sooner has collected nothing that could be too large


class CauseCode(StrEnum):
    NOT_CONNECTED = "not_connected"
    OTHER_CAPTURE = "other_capture"
    WINDOWS = "windows"
    CAPTURE_TOO_LARGE = "capture_too_large"
    BUNDLE_TOO_LARGE = "bundle_too_large"


class Confidence(StrEnum):
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Cause:
    """Probable cause of a failure. `megabytes` is the limit that a file exceeded."""

    code: CauseCode
    confidence: Confidence
    megabytes: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about one command. `created_at` and `ended_at` are by Cloudflare's clock, None if it gave no time.

    `captures_beside` is true if other captures ran on the machine at the same time. `offline_timeout` and `scale` are
    those of a faster, simulated world.
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
    """Return the probable causes of a failure, the most probable first."""
    if facts.kind not in set(Kind) or facts.status is not Status.FAILED:
        return ()
    # Of causes with equal confidence, the more common one comes first.
    found = [*_other_capture(facts), *_capture_too_large(facts), *_not_connected(facts), *_bundle_too_large(facts)]
    return tuple(sorted(found, key=lambda cause: list(Confidence).index(cause.confidence)))


def may_run_until(kind: Kind, options: Options, sent_by: datetime, *, scale: float = 1.0) -> datetime:
    """Return the latest time at which a command that was sent by then may still run or upload."""
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
    """Recognize a device that was offline: Cloudflare gives up on it after 10 minutes."""
    if facts.took is None or not _about(facts.took, facts.offline_timeout):
        return ()
    own = SPECS[Kind(facts.kind)].run_time(facts.options) / facts.scale
    confidence = Confidence.POSSIBLE if _about(facts.took, own) else Confidence.LIKELY
    return (Cause(CauseCode.NOT_CONNECTED, confidence),)


def _other_capture(facts: Facts) -> tuple[Cause, ...]:
    """Recognize a second capture on Windows: it fails at once, as it does beside pktmon or in some languages."""
    if not facts.is_capture_on_windows:
        return ()
    is_soon = facts.took is not None and facts.took <= facts.offline_timeout * AT_ONCE
    if facts.captures_beside:
        confidence = Confidence.LIKELY if is_soon or facts.took is None else Confidence.POSSIBLE
        return (Cause(CauseCode.OTHER_CAPTURE, confidence),)
    return (Cause(CauseCode.WINDOWS, Confidence.POSSIBLE),) if is_soon else ()


def _capture_too_large(facts: Facts) -> tuple[Cause, ...]:
    """Recognize a capture over its limit: it is not uploaded, and fails when the time of the capture is over."""
    if facts.kind != Kind.PCAP or facts.took is None:
        return ()
    own = SPECS[Kind.PCAP].run_time(facts.options) / facts.scale
    if not own <= facts.took <= _over_at(own, facts):
        return ()
    confidence = Confidence.POSSIBLE if _about(facts.took, facts.offline_timeout) else Confidence.LIKELY
    return (Cause(CauseCode.CAPTURE_TOO_LARGE, confidence, _megabytes(facts, DEFAULT_MEGABYTES)),)


def _bundle_too_large(facts: Facts) -> tuple[Cause, ...]:
    """Recognize a WARP diag over its limit. Its duration varies, so this is never more than possible."""
    if facts.kind != Kind.WARP_DIAG or facts.took is None:
        return ()
    longest = SPECS[Kind.WARP_DIAG].run_time(facts.options) / facts.scale
    if not QUICKEST_DIAG / facts.scale <= facts.took <= _over_at(longest, facts):
        return ()
    return (Cause(CauseCode.BUNDLE_TOO_LARGE, Confidence.POSSIBLE, _megabytes(facts, DIAG_MEGABYTES)),)


def _megabytes(facts: Facts, default: int) -> int:
    limit = facts.options.get("max-file-size-mb", default)
    return limit if isinstance(limit, int) else default


def _over_at(work: timedelta, facts: Facts) -> timedelta:
    """Return after how long a device that worked for so long has given up the upload of a file that is too large."""
    return work + work * NEAR + facts.offline_timeout * AT_ONCE


def _about(one: timedelta, other: timedelta) -> bool:
    return abs(one - other) <= other * NEAR
