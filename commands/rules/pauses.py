"""Operations that can be paused for an account, and the reasons. The sentences are in `wording.pauses`."""

from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """Operation stored with a pause, and a label of /metrics."""

    CREATE = "create"
    LIST = "list"
    DIRECTORY = "directory"
    DOWNLOAD = "download"


class PauseReason(StrEnum):
    """Code stored with pauses, credentials' call budgets and notifications."""

    # dexportal cannot make a call. Nothing was sent.
    NO_CREDENTIAL = "no_credential"
    NO_VALUE = "no_value"
    CANNOT_DECRYPT = "cannot_decrypt"
    INVALID_CHARACTER = "invalid_character"
    # Cloudflare refuses until an administrator changes something.
    CREDENTIAL_REFUSED = "credential_refused"
    ACCOUNT_REFUSED = "account_refused"
    NOT_FOUND = "not_found"
    REDIRECTED = "redirected"
    # Temporary: retried automatically.
    RATE_LIMITED = "rate_limited"
    CALLS_USED_UP = "calls_used_up"
    NOT_CONNECTED = "not_connected"
    NO_RESPONSE = "no_response"
    UNREADABLE_RESPONSE = "unreadable_response"
    UNEXPECTED_RESPONSE = "unexpected_response"
    SERVER_ERROR = "server_error"
    REPORTED_FAILURE = "reported_failure"
    TOO_MANY_PAGES = "too_many_pages"
    LISTING_NOT_APPLIED = "listing_not_applied"


CREDENTIAL_PROBLEMS = frozenset(
    {PauseReason.NO_CREDENTIAL, PauseReason.NO_VALUE, PauseReason.CANNOT_DECRYPT, PauseReason.INVALID_CHARACTER}
)
"""Reasons for which Cloudflare is not contacted at all."""

REFUSALS = CREDENTIAL_PROBLEMS | {
    PauseReason.CREDENTIAL_REFUSED,
    PauseReason.ACCOUNT_REFUSED,
    PauseReason.NOT_FOUND,
    PauseReason.REDIRECTED,
}
"""Reasons that last until an administrator fixes something."""

PROBED = frozenset({Operation.CREATE, Operation.DOWNLOAD})
"""Operations whose refusal is retested with a harmless call. Nothing else would try them without commands or files."""


@dataclass(frozen=True, slots=True)
class PauseCause:
    """Reason of a pause, with Cloudflare's own text and codes where it sent any."""

    reason_code: PauseReason
    remote_message: str = ""
    http_status: int | None = None
    code: int | None = None

    @property
    def is_refusal(self) -> bool:
        return self.reason_code in REFUSALS
