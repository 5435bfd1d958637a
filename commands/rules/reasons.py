"""Reason codes for the status of a command or of the POST that carried it. The sentences are in `wording.commands`."""

from enum import StrEnum


class CommandReasonCode(StrEnum):
    """Code stored with commands, dispatches and Events. A code is never renamed, because Events never change."""

    # Nothing was sent: the command goes back to the queue.
    WORKER_DELAYED = "worker_delayed"
    DATABASE_DOWN = "database_down"
    CALLS_USED_UP = "calls_used_up"
    NO_CREDENTIAL = "no_credential"
    NOT_CONNECTED = "not_connected"
    THROTTLED = "throttled"
    ACCOUNT_REFUSED = "account_refused"
    # Cloudflare refused the request.
    REJECTED = "rejected"
    REJECTED_TOGETHER = "rejected_together"
    SENT_ALONE = "sent_alone"
    # The outcome of the POST is unknown.
    ERROR_IN_200 = "error_in_200"
    SERVER_ERROR = "server_error"
    UNREADABLE_ANSWER = "unreadable_answer"
    NO_ANSWER = "no_answer"
    NOT_IN_ANSWER = "not_in_answer"
    ANSWER_NOT_RECORDED = "answer_not_recorded"
    # Time alone decided.
    NOT_FOUND = "not_found"
    NO_RESULT_REPORTED = "no_result_reported"
    NOT_SENT_IN_TIME = "not_sent_in_time"
    HELD_AFTER_PAUSE = "held_after_pause"
    # The database was restored from a backup.
    RESTORED = "restored"
    RESTORED_WAITING = "restored_waiting"
    SENT_SINCE_BACKUP = "sent_since_backup"
