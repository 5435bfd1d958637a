"""Sentences for why a command is in its status."""

from collections.abc import Mapping

from commands.rules.reasons import CommandReasonCode
from commands.rules.wording import sentence
from commands.rules.wording.remote_codes import list_codes

SENTENCES: Mapping[CommandReasonCode, str] = {
    CommandReasonCode.WORKER_DELAYED: "The worker was delayed before it could send the command.",
    CommandReasonCode.DATABASE_DOWN: "The database did not respond before the command could be sent.",
    CommandReasonCode.CALLS_USED_UP: "No API calls to Cloudflare were left.",
    CommandReasonCode.NO_CREDENTIAL: "The account has no working credential.",
    CommandReasonCode.NOT_CONNECTED: "Not sent: no connection to Cloudflare.",
    CommandReasonCode.THROTTLED: "Cloudflare is rate-limiting us.",
    CommandReasonCode.ACCOUNT_REFUSED: "Cloudflare refused the account or the credential.",
    CommandReasonCode.REJECTED: "Cloudflare rejected the request.",
    CommandReasonCode.REJECTED_TOGETHER: (
        "Cloudflare refused the whole request, perhaps because of another device in it. The command will be sent "
        "again, alone, once Cloudflare's list shows that it was not created."
    ),
    CommandReasonCode.SENT_ALONE: (
        "Cloudflare refused it together with others and did not create it. It will be sent again, alone."
    ),
    CommandReasonCode.ERROR_IN_200: "Cloudflare reported an error, but with a status of success.",
    CommandReasonCode.SERVER_ERROR: "Cloudflare failed.",
    CommandReasonCode.UNREADABLE_ANSWER: "Cloudflare's response could not be read.",
    CommandReasonCode.NO_ANSWER: "No complete response from Cloudflare.",
    CommandReasonCode.NOT_IN_ANSWER: "Cloudflare's response did not mention this command.",
    CommandReasonCode.ANSWER_NOT_RECORDED: "Cloudflare's response was never recorded.",
    CommandReasonCode.NOT_FOUND: "Cloudflare gave no clear response, and the command never appeared in its list.",
    CommandReasonCode.NO_RESULT_REPORTED: "Cloudflare accepted it but never reported a result.",
    CommandReasonCode.NOT_SENT_IN_TIME: "It could not be sent in time.",
    CommandReasonCode.HELD_AFTER_PAUSE: (
        "Sending was paused for a long time after this was requested. Press Send now if it's still wanted."
    ),
    CommandReasonCode.RESTORED: (
        "The database was restored from a backup, and this may have been sent after the backup was made. We're "
        "checking Cloudflare's list."
    ),
    CommandReasonCode.RESTORED_WAITING: (
        "The database was restored from a backup, and this may have been sent after the backup was made. We're "
        "checking Cloudflare's list for another command of this device first."
    ),
    CommandReasonCode.SENT_SINCE_BACKUP: (
        "No POST: stands for what may have been sent between a backup and its restore."
    ),
}
REMOTE_MESSAGE = "Cloudflare's message: “{message}”{codes}."
CODES = " ({codes})"


def describe_reason(reason_code: str, remote_message: str = "", *, http_status: int = 0, code: int = 0) -> str:
    """Return the whole reason: our sentence, then Cloudflare's own message and its codes. '' without a code."""
    if not reason_code:
        return ""
    reason = sentence(SENTENCES, CommandReasonCode(reason_code))
    listed = list_codes(http_status, code)
    codes = CODES.format(codes=listed) if listed else ""
    if remote_message:
        return f"{reason} {REMOTE_MESSAGE.format(message=remote_message, codes=codes)}"
    return reason + codes


def summarize_reason(reason_code: str, remote_message: str = "") -> str:
    """Return a short reason for a table row. Cloudflare's message is enough where the status says that it refused."""
    if reason_code == CommandReasonCode.REJECTED and remote_message:
        return remote_message
    return describe_reason(reason_code, remote_message)
