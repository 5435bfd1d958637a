"""Labels and sentences for the statuses of commands and of artifacts."""

from collections.abc import Mapping

from commands.rules.states import ArtifactStatus, Status
from commands.rules.wording import sentence

LABELS: Mapping[Status, str] = {
    Status.AWAITING_APPROVAL: "Awaiting approval",
    Status.WAITING_DEVICE: "Waiting for device",
    Status.QUEUED: "Queued",
    Status.SENDING: "Sending",
    Status.UNCERTAIN: "Uncertain",
    Status.PENDING_EXEC: "Running",
    Status.PENDING_UPLOAD: "Uploading",
    Status.UNCONFIRMED: "Unconfirmed",
    Status.SUCCESS: "Done",
    Status.FAILED: "Failed",
    Status.REJECTED: "Rejected",
    Status.DECLINED: "Declined",
    Status.WITHDRAWN: "Withdrawn",
    Status.EXPIRED: "Expired",
}
SENTENCES: Mapping[Status, str] = {
    Status.AWAITING_APPROVAL: "A second person has to approve it before it is sent.",
    Status.WAITING_DEVICE: "It will be sent when the device connects to Cloudflare again.",
    Status.QUEUED: "It is about to be sent to Cloudflare.",
    Status.SENDING: "It is being sent to Cloudflare.",
    Status.UNCERTAIN: (
        "Cloudflare gave no clear response, so it may be running. We're checking Cloudflare's list and won't send it "
        "twice."
    ),
    Status.PENDING_EXEC: "Accepted by Cloudflare. Running on the device.",
    Status.PENDING_UPLOAD: "The device is sending the result to Cloudflare.",
    Status.UNCONFIRMED: (
        "Cloudflare never reported a result. It may have run; if a result turns up it will appear here."
    ),
    Status.SUCCESS: "The device ran it and uploaded the result.",
    Status.FAILED: "Cloudflare reports that it failed, without a reason.",
    Status.REJECTED: "Cloudflare refused it.",
    Status.DECLINED: "The approver declined it. It was never sent.",
    Status.WITHDRAWN: "It was withdrawn before it was sent.",
    Status.EXPIRED: "It wasn't sent in time and has expired.",
}
ARTIFACT_LABELS: Mapping[ArtifactStatus, str] = {
    ArtifactStatus.WANTED: "Waiting to be downloaded",
    ArtifactStatus.FETCHING: "Downloading",
    ArtifactStatus.STORED: "Saved",
    ArtifactStatus.READING: "Reading",
    ArtifactStatus.READ: "Read",
    ArtifactStatus.UNREADABLE: "Unreadable",
    ArtifactStatus.TOO_LARGE: "Too large",
    ArtifactStatus.GONE: "No longer at Cloudflare",
    ArtifactStatus.REFUSED: "Not downloaded",
    ArtifactStatus.PURGED: "Deleted here",
}
ARTIFACT_SENTENCES: Mapping[ArtifactStatus, str] = {
    ArtifactStatus.WANTED: "The file is about to be downloaded from Cloudflare.",
    ArtifactStatus.FETCHING: "The file is being downloaded from Cloudflare.",
    ArtifactStatus.STORED: "The file is saved here.",
    ArtifactStatus.READING: "The file is saved here and being read.",
    ArtifactStatus.READ: "The file is saved here and was read.",
    ArtifactStatus.UNREADABLE: "The file is saved here, but could not be read.",
    ArtifactStatus.TOO_LARGE: "The file is larger than the limit here.",
    ArtifactStatus.GONE: "Cloudflare no longer has the file.",
    ArtifactStatus.REFUSED: "The file could not be downloaded from Cloudflare.",
    ArtifactStatus.PURGED: "The file was deleted here.",
}


def status_label(status: Status) -> str:
    return sentence(LABELS, status)


def status_sentence(status: Status) -> str:
    return sentence(SENTENCES, status)


def artifact_label(status: ArtifactStatus) -> str:
    return sentence(ARTIFACT_LABELS, status)


def artifact_sentence(status: ArtifactStatus) -> str:
    return sentence(ARTIFACT_SENTENCES, status)
