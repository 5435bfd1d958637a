"""Sentences for why a command may have failed."""

from collections.abc import Mapping

from commands.rules.causes import Cause, CauseCode, Confidence
from commands.rules.wording import sentence

SENTENCES: Mapping[CauseCode, str] = {
    CauseCode.NOT_CONNECTED: "the device was not connected to Cloudflare for 10 minutes.",
    CauseCode.OTHER_CAPTURE: "another capture was running on this Windows device.",
    CauseCode.WINDOWS: "another capture (or pktmon) was running, or the Windows language isn't supported.",
    CauseCode.CAPTURE_TOO_LARGE: "the capture exceeded its limit of {megabytes} MB and was not uploaded.",
    CauseCode.BUNDLE_TOO_LARGE: "the bundle exceeded its limit of {megabytes} MB and was not uploaded.",
}
CONFIDENCES: Mapping[Confidence, str] = {Confidence.LIKELY: "Likely", Confidence.POSSIBLE: "Possible"}
WITH_CONFIDENCE = "{confidence}: {cause}"


def describe_cause(cause: Cause) -> str:
    """Return the cause with its confidence, such as "Likely: the device was not connected ..."."""
    described = sentence(SENTENCES, cause.code, megabytes=cause.megabytes)
    return WITH_CONFIDENCE.format(confidence=sentence(CONFIDENCES, cause.confidence), cause=described)
