"""May this be done now? Each check answers with None or with a `Refusal`, whose reason is for people.

Owns the rules about when and with what; who may is `access.py`. Pure: the policy and what it judges are passed in.
The reason is also what a disabled button says.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from commands.rules.kinds import SPECS, Kind
from commands.rules.plan import Line
from commands.rules.states import DONE, UNSENT, Status
from commands.rules.wording.statuses import status_label


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """An account's rules; the defaults ask for nothing. A pattern has to fit the whole ticket.

    ValueError: a pattern that is none.
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
            raise ValueError(f"the ticket pattern is no regular expression: {problem}") from problem


def in_use(name: str, *, retired: bool, elsewhere: bool, credential: bool) -> Refusal | None:
    """Of an account: whether anything can be asked for there."""
    if retired:
        return Refusal(f"Nothing can be run in {name}: the account is retired.")
    if elsewhere:
        return Refusal(f"Nothing can be run in {name}: this portal talks to another Cloudflare now than it belongs to.")
    return (
        None if credential else Refusal(f"Nothing can be run in {name}: an administrator has to give it a credential.")
    )


def ask_for(line: Line) -> Refusal | None:
    """Of one device in a plan: what Cloudflare would refuse is not even asked for."""
    return Refusal(f"Nothing would be sent: {line.words}.") if line.is_left_out else None


def ticket(policy: Policy, given: str) -> Refusal | None:
    if not given:
        return Refusal("A ticket is needed.") if policy.ticket_required else None
    if policy.ticket_pattern and not re.fullmatch(policy.ticket_pattern, given):
        like = f", such as {policy.ticket_example}" if policy.ticket_example else ""
        return Refusal(f"“{given}” is not what a ticket looks like here{like}.")
    return None


def purpose(policy: Policy, given: str) -> Refusal | None:
    return Refusal("A purpose is needed.") if policy.purpose_required and not given else None


def send_at_once(policy: Policy, kind: Kind) -> Refusal | None:
    """Refused means that it is asked for all the same, and awaits approval."""
    if kind in policy.approval_for:
        return Refusal(f"{SPECS[kind].label}: a second person has to approve it.")
    return None


def withdraw(status: Status) -> Refusal | None:
    if status in UNSENT:
        return None
    if status in DONE:
        return Refusal(f"It has ended: {status_label(status).lower()}.")
    return Refusal("It was sent to Cloudflare, which cannot take a command back.")


def run_again(status: Status) -> Refusal | None:
    return None if status in DONE else Refusal(f"It has not ended: {status_label(status).lower()}.")
