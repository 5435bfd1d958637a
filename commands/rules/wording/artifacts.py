"""Sentences for why an artifact is not here, or is not complete."""

from collections.abc import Mapping

from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.wording import sentence

SENTENCES: Mapping[ArtifactReason, str] = {
    ArtifactReason.MISSING_TUNNEL_CAPTURE: "Incomplete: the tunnel capture is missing.",
    ArtifactReason.MISSING_DEVICE_CAPTURE: "Incomplete: the capture of the device's own connection is missing.",
    ArtifactReason.MISSING_CAPTURES: "Incomplete: both captures are missing.",
    ArtifactReason.NOT_FOUND: "Cloudflare doesn't have the file.",
    ArtifactReason.NOT_FOUND_UNCONFIRMED: (
        "Cloudflare says it doesn't have the file. We're checking first that the account can still be listed."
    ),
    ArtifactReason.ACCOUNT_REFUSED: "Cloudflare refused the account or the credential.",
    ArtifactReason.FILE_REFUSED: "Cloudflare refused this file, but other files of the account could be downloaded.",
    ArtifactReason.RATE_LIMITED: "Cloudflare is rate-limiting us.",
    ArtifactReason.NO_CREDENTIAL: "The account has no working credential.",
    ArtifactReason.NOT_CONNECTED: "No connection to Cloudflare.",
    ArtifactReason.CONNECTION_BROKEN: "The download broke off.",
    ArtifactReason.SERVER_ERROR: "Cloudflare failed.",
    ArtifactReason.REQUEST_REJECTED: "Cloudflare rejected the request.",
    ArtifactReason.TOO_LARGE: "The file is larger than this portal accepts.",
    ArtifactReason.ZIP_INCOMPLETE: "The file isn't a readable zip: its end is missing.",
    ArtifactReason.ZIP_UNREADABLE: "The file isn't a readable zip, or a file in it is damaged.",
    ArtifactReason.ZIP_COMPRESSION: "The zip uses a compression method that dexportal can't read.",
    ArtifactReason.ZIP_TOO_MANY_FILES: "The zip holds more files than a result can have.",
    ArtifactReason.ZIP_UNPACKS_TOO_LARGE: "The zip unpacks to more data than a result can have.",
    ArtifactReason.DISK_FAILED: "The file could not be written to the disk.",
    ArtifactReason.STORAGE_FAILED: "The file could not be saved to the storage.",
    ArtifactReason.STORAGE_UNREADABLE: "The storage could not be read.",
    ArtifactReason.STORED_BY_ANOTHER_WORKER: "Another worker saved the same file at the same time.",
    ArtifactReason.WORKER_STOPPED: "The worker or the database stopped in the meantime. The download continues.",
    ArtifactReason.WORKERS_DIED: "Downloading it ended without a result too often.",
    ArtifactReason.DELETED_BEFORE_FETCHED: "Cloudflare deleted the file before it could be downloaded.",
}
WITH_MESSAGE = "{reason} “{message}”"


def describe_artifact_reason(reason_code: str, remote_message: str = "") -> str:
    """Return the reason as a sentence, with the message of the failing side behind it. '' without a code."""
    if not reason_code:
        return ""
    reason = sentence(SENTENCES, ArtifactReason(reason_code))
    return WITH_MESSAGE.format(reason=reason, message=remote_message) if remote_message else reason
