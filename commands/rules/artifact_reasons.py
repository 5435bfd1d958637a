"""Reasons why an artifact is not here, is not complete, or failed to come at the last attempt."""

from collections.abc import Collection
from enum import StrEnum

from commands.rules.causes import missing_captures
from commands.rules.kinds import Options


class ArtifactReason(StrEnum):
    """Code stored with the artifact and with its Events. The sentences are in `wording/artifacts.py`."""

    MISSING_TUNNEL_CAPTURE = "missing_tunnel_capture"
    MISSING_DEVICE_CAPTURE = "missing_device_capture"
    MISSING_CAPTURES = "missing_captures"
    NOT_FOUND = "not_found"
    NOT_FOUND_UNCONFIRMED = "not_found_unconfirmed"
    ACCOUNT_REFUSED = "account_refused"
    FILE_REFUSED = "file_refused"
    RATE_LIMITED = "rate_limited"
    NO_CREDENTIAL = "no_credential"
    NOT_CONNECTED = "not_connected"
    CONNECTION_BROKEN = "connection_broken"
    SERVER_ERROR = "server_error"
    REQUEST_REJECTED = "request_rejected"
    TOO_LARGE = "too_large"
    ZIP_INCOMPLETE = "zip_incomplete"
    ZIP_UNREADABLE = "zip_unreadable"
    ZIP_COMPRESSION = "zip_compression"
    ZIP_TOO_MANY_FILES = "zip_too_many_files"
    ZIP_UNPACKS_TOO_LARGE = "zip_unpacks_too_large"
    DISK_FAILED = "disk_failed"
    STORAGE_FAILED = "storage_failed"
    STORAGE_UNREADABLE = "storage_unreadable"
    STORED_BY_ANOTHER_WORKER = "stored_by_another_worker"
    WORKER_STOPPED = "worker_stopped"
    WORKERS_DIED = "workers_died"
    DELETED_BEFORE_FETCHED = "deleted_before_fetched"


NO_FAILURE = frozenset({"", ArtifactReason.WORKER_STOPPED})
"""Reasons that stand for no failed attempt: none yet, or an attempt that goes on where it stopped."""


def partial_reason(kind: str, options: Options, files: Collection[str]) -> ArtifactReason | None:
    """Return what a zip with these files lacks, or None if it is complete."""
    missing = missing_captures(kind, options, files)
    if not missing:
        return None
    if len(missing) > 1:
        return ArtifactReason.MISSING_CAPTURES
    is_tunnel = missing == ("tunnel",)
    return ArtifactReason.MISSING_TUNNEL_CAPTURE if is_tunnel else ArtifactReason.MISSING_DEVICE_CAPTURE
