"""Lines of a command's history, without the person and the time."""

from collections.abc import Mapping

from commands.rules.events import EventType
from commands.rules.states import ArtifactStatus, Status
from commands.rules.wording import sentence

SENTENCES: Mapping[EventType, str] = {
    EventType.REQUESTED: "Requested",
    EventType.ADOPTED: "Found in Cloudflare's list",
    EventType.ATTACHED: "Cloudflare's id attached",
    EventType.DOUBTED: "Another command in Cloudflare's list could be this one as well",
    EventType.LATE_ANSWER: "Cloudflare's response came late",
    EventType.IMPORTED: "Started elsewhere, found in Cloudflare's list",
    EventType.MERGED: "Recognized as one of our commands and merged into it",
    EventType.DOWNLOADED: "Downloaded",
    EventType.HELD: "On hold",
    EventType.SEND_NOW: "Send now",
}
MOVED: Mapping[Status, str] = {
    Status.AWAITING_APPROVAL: "Waiting for approval",
    Status.WAITING_DEVICE: "Waiting for the device",
    Status.QUEUED: "Back in the queue",
    Status.SENDING: "Sent to Cloudflare",
    Status.UNCERTAIN: "No clear response from Cloudflare",
    Status.PENDING_EXEC: "Running on the device",
    Status.PENDING_UPLOAD: "Uploading",
    Status.UNCONFIRMED: "No response: unconfirmed",
    Status.SUCCESS: "Done",
    Status.FAILED: "Failed",
    Status.REJECTED: "Refused by Cloudflare",
    Status.DECLINED: "Declined",
    Status.WITHDRAWN: "Withdrawn",
    Status.EXPIRED: "Expired, never sent",
}
FILE: Mapping[ArtifactStatus, str] = {
    ArtifactStatus.WANTED: "File not downloaded yet",  # the history has this line only after a failed attempt
    ArtifactStatus.FETCHING: "Downloading the file from Cloudflare",
    ArtifactStatus.STORED: "File saved",
    ArtifactStatus.READING: "Reading the file",
    ArtifactStatus.READ: "File read",
    ArtifactStatus.UNREADABLE: "File could not be read",
    ArtifactStatus.TOO_LARGE: "File too large to download",
    ArtifactStatus.GONE: "File no longer at Cloudflare",
    ArtifactStatus.REFUSED: "File not downloaded",
    ArtifactStatus.PURGED: "File deleted here",
}
MATCH_UNCERTAIN = "Another match was possible."
AFTER_RESTORE = "{line}, after a restore"
BY_PERSON = "{line} by {person}"


def event_line(event: EventType, *, to_status: str = "", artifact_status: str = "") -> str:
    """Return the line of a history for one Event."""
    if event is EventType.MOVED:
        return sentence(MOVED, Status(to_status))
    if event is EventType.ARTIFACT:
        return sentence(FILE, ArtifactStatus(artifact_status))
    return sentence(SENTENCES, event)
