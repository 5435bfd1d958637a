"""Rules about when something may be done, and with what. Each check returns None or a Refusal.

Who may do it is in `access.py`. The policy and what it judges are passed in.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from commands.rules.kinds import Kind
from commands.rules.plan import PlanLine
from commands.rules.states import DONE, UNSENT, Status
from commands.rules.targeting import LineError


class RefusalCode(StrEnum):
    ACCOUNT_RETIRED = "account_retired"
    OTHER_UPSTREAM = "other_upstream"
    NO_CREDENTIAL = "no_credential"
    NO_TARGETS = "no_targets"
    NO_KINDS = "no_kinds"
    TOO_MANY_TARGETS = "too_many_targets"
    LINES_NOT_UNDERSTOOD = "lines_not_understood"
    NOTHING_TO_SEND = "nothing_to_send"
    KEY_REUSED = "key_reused"
    TICKET_REQUIRED = "ticket_required"
    TICKET_INVALID = "ticket_invalid"
    PURPOSE_REQUIRED = "purpose_required"
    NEEDS_APPROVAL = "needs_approval"
    UNKNOWN_KIND = "unknown_kind"
    STARTED_ELSEWHERE = "started_elsewhere"
    ALREADY_FINISHED = "already_finished"
    ALREADY_SENT = "already_sent"
    NOT_FINISHED = "not_finished"
    NOT_ON_HOLD = "not_on_hold"
    CHANGED_MEANWHILE = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason for not doing something. `values` fill the fields in the sentence of the code.

    `skipped` are the plan's lines of devices that Cloudflare would refuse. `line_errors` are lines that were not
    understood.
    """

    code: RefusalCode
    values: Mapping[str, object] = field(default_factory=dict)
    skipped: tuple[PlanLine, ...] = ()
    line_errors: tuple[LineError, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of an account. The defaults require nothing. A pattern has to match the whole ticket.

    Raises ValueError for a pattern that isn't a regular expression.
    """

    ticket_required: bool = False
    ticket_pattern: str = ""
    ticket_example: str = ""
    purpose_required: bool = False
    approval_for: Collection[Kind] = frozenset()

    def __post_init__(self) -> None:
        try:
            re.compile(self.ticket_pattern)
        except re.error as problem:
            raise ValueError(f"the ticket pattern isn't a valid regular expression: {problem}") from problem


NO_RULES = Policy()


def account_in_use(name: str, *, retired: bool, other_upstream: bool, has_credential: bool) -> Refusal | None:
    """Check that commands can be run in an account."""
    if retired:
        return Refusal(RefusalCode.ACCOUNT_RETIRED, {"account": name})
    if other_upstream:
        return Refusal(RefusalCode.OTHER_UPSTREAM, {"account": name})
    return None if has_credential else Refusal(RefusalCode.NO_CREDENTIAL, {"account": name})


def send_to(line: PlanLine) -> Refusal | None:
    """Check one device of a plan. No command is created that Cloudflare would refuse."""
    return Refusal(RefusalCode.NOTHING_TO_SEND, skipped=(line,)) if line.is_skipped else None


def ticket(policy: Policy, given: str) -> Refusal | None:
    if not given:
        return Refusal(RefusalCode.TICKET_REQUIRED) if policy.ticket_required else None
    if policy.ticket_pattern and not re.fullmatch(policy.ticket_pattern, given):
        return Refusal(RefusalCode.TICKET_INVALID, {"ticket": given, "example": policy.ticket_example})
    return None


def purpose(policy: Policy, given: str) -> Refusal | None:
    return Refusal(RefusalCode.PURPOSE_REQUIRED) if policy.purpose_required and not given else None


def send_at_once(policy: Policy, kind: Kind) -> Refusal | None:
    """Check that a kind needs no approval. A refused command is created all the same, and awaits approval."""
    return Refusal(RefusalCode.NEEDS_APPROVAL, {"kind": kind}) if kind in policy.approval_for else None


def withdraw(status: Status) -> Refusal | None:
    if status in UNSENT:
        return None
    if status in DONE:
        return Refusal(RefusalCode.ALREADY_FINISHED, {"status": status})
    return Refusal(RefusalCode.ALREADY_SENT)


def run_again(status: Status, kind: str) -> Refusal | None:
    if kind not in set(Kind):
        return Refusal(RefusalCode.UNKNOWN_KIND)
    return None if status in DONE else Refusal(RefusalCode.NOT_FINISHED, {"status": status})
