"""Sentences about pauses: which operation, why, and what it means for the people who wait."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from commands.rules.pauses import Operation, PauseReason
from commands.rules.wording import sentence, sentence_for_count
from commands.rules.wording.remote_codes import list_codes

SENTENCES: Mapping[PauseReason, str] = {
    PauseReason.NO_CREDENTIAL: "The account has no credential.",
    PauseReason.NO_VALUE: "The account's credential has no value. Enter the token or key.",
    PauseReason.CANNOT_DECRYPT: "The account's credential can't be decrypted with CREDENTIAL_KEYS. Enter it again.",
    PauseReason.INVALID_CHARACTER: "The account's credential contains a character that no header can carry.",
    PauseReason.CREDENTIAL_REFUSED: "Cloudflare refused the credential.",
    PauseReason.ACCOUNT_REFUSED: "Cloudflare refused the account or the credential.",
    PauseReason.NOT_FOUND: "Cloudflare did not find the account, or the credential has no access to it.",
    PauseReason.REDIRECTED: "Cloudflare's address answered with a redirect, which dexportal does not follow.",
    PauseReason.RATE_LIMITED: "Cloudflare is rate-limiting us.",
    PauseReason.CALLS_USED_UP: "All API calls that Cloudflare allows are used up for the moment.",
    PauseReason.NOT_CONNECTED: "No connection to Cloudflare.",
    PauseReason.NO_RESPONSE: "No complete response from Cloudflare.",
    PauseReason.UNREADABLE_RESPONSE: "Cloudflare's response could not be read.",
    PauseReason.UNEXPECTED_RESPONSE: "Cloudflare rejected the request.",
    PauseReason.SERVER_ERROR: "Cloudflare failed.",
    PauseReason.REPORTED_FAILURE: "Cloudflare reported an error, but with a status of success.",
    PauseReason.TOO_MANY_PAGES: "Cloudflare's list has more pages than dexportal reads.",
    PauseReason.LISTING_NOT_APPLIED: "Cloudflare's list could not be processed. The worker's log has the details.",
}
OPERATIONS: Mapping[Operation, str] = {
    Operation.CREATE: "sending commands",
    Operation.LIST: "listing commands",
    Operation.DIRECTORY: "listing devices and the quota",
    Operation.DOWNLOAD: "downloading files",
}
CONSEQUENCES: Mapping[Operation, str] = {
    Operation.CREATE: "Commands are kept until they expire.",
    Operation.LIST: "The status of running commands may be out of date.",
    Operation.DIRECTORY: "Devices and quota may be out of date.",
    Operation.DOWNLOAD: "Results stay at Cloudflare, which keeps them for 7 days.",
}
RESULTS_EXPIRING = "Results stay at Cloudflare until it deletes them."
REMOTE_MESSAGE = "Cloudflare's message: “{message}”."
CODES = "({codes})"
JOINED_OPERATIONS = "{others} and {last}"


def describe_pause(
    reason_code: str, remote_message: str = "", *, http_status: int | None = None, code: int | None = None
) -> str:
    """Return the whole reason: our sentence, Cloudflare's own message and the codes. '' without a reason."""
    if not reason_code:
        return ""
    parts = [sentence(SENTENCES, PauseReason(reason_code))]
    if remote_message:
        parts.append(REMOTE_MESSAGE.format(message=remote_message))
    if codes := list_codes(http_status, code):
        parts.append(CODES.format(codes=codes))
    return " ".join(parts)


def describe_consequence(operation: Operation, *, results_expire: bool = False) -> str:
    """Return what a pause means for users. "For 7 days" would comfort nobody whose 7 days are almost over."""
    if operation is Operation.DOWNLOAD and results_expire:
        return RESULTS_EXPIRING
    return sentence(CONSEQUENCES, operation)


def join_operations(operations: Iterable[Operation]) -> str:
    """Return "sending commands, listing commands and downloading files"."""
    *others, last = [sentence(OPERATIONS, operation) for operation in operations]
    return JOINED_OPERATIONS.format(others=", ".join(others), last=last) if others else last


class BannerCode(StrEnum):
    """Banners above the pages of an account."""

    RESULTS_EXPIRING = "results_expiring"
    REFUSED = "refused"
    NO_WORKING_CREDENTIAL = "no_working_credential"
    RATE_LIMITED = "rate_limited"
    FAILING = "failing"
    HELD = "held"


BANNER_TITLES: Mapping[BannerCode, str] = {
    BannerCode.RESULTS_EXPIRING: "{results} about to be lost.",
    BannerCode.REFUSED: "Cloudflare refuses {operations}.",
    BannerCode.NO_WORKING_CREDENTIAL: "No working credential for this account.",
    BannerCode.RATE_LIMITED: "Cloudflare is rate-limiting us.",
    BannerCode.FAILING: "Problem with {operations}.",
    BannerCode.HELD: "{commands} your OK.",
}
BANNER_SENTENCES: Mapping[BannerCode, str] = {
    BannerCode.RESULTS_EXPIRING: (
        "Not downloaded yet. Cloudflare deletes results within 24 hours unless downloading files works before then."
    ),
    BannerCode.REFUSED: "An administrator of this account needs to fix it.",
    BannerCode.NO_WORKING_CREDENTIAL: "An administrator of this account needs to fix it.",
    BannerCode.RATE_LIMITED: "Commands are kept and go out afterwards.",
    BannerCode.FAILING: "Retrying.",
    BannerCode.HELD: "Sending was paused too long. Press Send now on each command that is still wanted.",
}
BANNER_TIMES: Mapping[BannerCode, str] = {
    BannerCode.RESULTS_EXPIRING: "First deletion:",
    BannerCode.REFUSED: "Since:",
    BannerCode.NO_WORKING_CREDENTIAL: "Since:",
    BannerCode.RATE_LIMITED: "Until:",
    BannerCode.FAILING: "Last successful sync:",
    BannerCode.HELD: "",
}


class Count(StrEnum):
    """Things that a banner counts."""

    RESULTS = "results"
    HELD = "held"
    UNSENT = "unsent"


COUNTS: Mapping[Count, tuple[str, str]] = {
    Count.RESULTS: ("1 result is", "{count} results are"),
    Count.HELD: ("1 command needs", "{count} commands need"),
    Count.UNSENT: ("1 command is waiting to be sent.", "{count} commands are waiting to be sent."),
}


def count_results(count: int) -> str:
    """Return the beginning of the banner's title: "2 results are"."""
    return sentence_for_count(COUNTS, Count.RESULTS, count)


def count_held(count: int) -> str:
    """Return the beginning of the banner's title: "2 commands need"."""
    return sentence_for_count(COUNTS, Count.HELD, count)


def count_unsent(count: int) -> str:
    """Return a sentence about commands that wait to be sent, '' if there are none."""
    return sentence_for_count(COUNTS, Count.UNSENT, count) if count else ""
