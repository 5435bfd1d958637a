"""Sentences for why something is not done."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from commands.rules.kinds import SPECS, Kind
from commands.rules.plan import PlanLine, Verdict
from commands.rules.policies import Refusal, RefusalCode
from commands.rules.states import Status
from commands.rules.wording import sentence
from commands.rules.wording.plan import describe_line, describe_skipped
from commands.rules.wording.statuses import status_label
from commands.rules.wording.targets import describe_line_error


class RefusalDetail(StrEnum):
    """Sentences of a code that say more than its usual one."""

    TICKET_EXAMPLE = "ticket_example"
    CANNOT_RUN = "cannot_run"
    CANNOT_RUN_MESSAGE = "cannot_run_message"
    OLD_CLIENT = "old_client"
    SHARED_DEVICE = "shared_device"
    SAME_REASON = "same_reason"


SENTENCES: Mapping[RefusalCode | RefusalDetail, str] = {
    RefusalCode.ACCOUNT_RETIRED: "{account} is retired. No commands can be run in it.",
    RefusalCode.OTHER_UPSTREAM: "{account} belongs to a different Cloudflare endpoint.",
    RefusalCode.NO_CREDENTIAL: "{account} has no credential yet. Ask an administrator.",
    RefusalCode.NO_TARGETS: "Choose a person or device, or paste a list.",
    RefusalCode.NO_KINDS: "Choose at least one command to run.",
    RefusalCode.TOO_MANY_TARGETS: "A run can have {limit} targets at most.",
    RefusalCode.LINES_NOT_UNDERSTOOD: "{errors}",
    RefusalCode.NOTHING_TO_SEND: "No device can run it: {devices}.",
    RefusalDetail.SAME_REASON: "No device can run it: {reason}.",
    RefusalDetail.CANNOT_RUN: "This device can't run it. Cloudflare doesn't support it.",
    RefusalDetail.CANNOT_RUN_MESSAGE: "This device can't run it: {message}.",
    RefusalDetail.OLD_CLIENT: "This device can't run it: client {version} is too old, it needs {least}.",
    RefusalDetail.SHARED_DEVICE: "Several people use this device. Say which user.",
    RefusalCode.KEY_REUSED: "You already sent this form with different details. Reload the page and try again.",
    RefusalCode.TICKET_REQUIRED: "Enter a ticket.",
    RefusalCode.TICKET_INVALID: "“{ticket}” isn't a valid ticket.",
    RefusalDetail.TICKET_EXAMPLE: "Tickets look like {example}.",
    RefusalCode.PURPOSE_REQUIRED: "Choose a purpose.",
    RefusalCode.NEEDS_APPROVAL: "A second person has to approve a {kind}.",
    RefusalCode.UNKNOWN_KIND: "This portal can't run this kind of command.",
    RefusalCode.STARTED_ELSEWHERE: "It wasn't started here.",
    RefusalCode.ALREADY_FINISHED: "It has already finished: {status}.",
    RefusalCode.ALREADY_SENT: "It has already been sent, and Cloudflare can't cancel it.",
    RefusalCode.NOT_FINISHED: "It hasn't finished yet: {status}.",
    RefusalCode.NOT_ON_HOLD: "It isn't on hold.",
    RefusalCode.CHANGED_MEANWHILE: "It changed in the meantime. Try again.",
}
NAMED = 5  # devices in one sentence


def describe_refusal(refusal: Refusal) -> str:
    values = dict(refusal.values)
    match refusal.code:
        case RefusalCode.NOTHING_TO_SEND:
            return _nothing_to_send(refusal.skipped)
        case RefusalCode.LINES_NOT_UNDERSTOOD:
            values["errors"] = " ".join(describe_line_error(error) for error in refusal.line_errors[:NAMED])
        case RefusalCode.TICKET_INVALID if values["example"]:
            return sentence(SENTENCES, RefusalDetail.TICKET_EXAMPLE, **values)
        case RefusalCode.ALREADY_FINISHED | RefusalCode.NOT_FINISHED:
            values["status"] = status_label(Status(str(values["status"]))).lower()
        case RefusalCode.NEEDS_APPROVAL:
            values["kind"] = SPECS[Kind(str(values["kind"]))].noun
    return sentence(SENTENCES, refusal.code, **values)


def _nothing_to_send(lines: Sequence[PlanLine]) -> str:
    sentences = {_cannot_run(line) for line in lines}
    if len(lines) == 1:
        return sentences.pop()
    if len(sentences) == 1:
        return sentence(SENTENCES, RefusalDetail.SAME_REASON, reason=describe_line(lines[0]))
    return sentence(SENTENCES, RefusalCode.NOTHING_TO_SEND, devices=describe_skipped(lines, most=NAMED))


def _cannot_run(line: PlanLine) -> str:
    facts = line.facts
    match line.steps[0].verdict:
        case Verdict.NEEDS_REGISTRATION:
            return sentence(SENTENCES, RefusalDetail.SHARED_DEVICE)
        case Verdict.CLIENT_TOO_OLD:
            least = ".".join(map(str, facts.least_client))
            return sentence(SENTENCES, RefusalDetail.OLD_CLIENT, version=facts.client_version, least=least)
        case _ if facts.ineligible_reason:
            return sentence(SENTENCES, RefusalDetail.CANNOT_RUN_MESSAGE, message=facts.ineligible_reason)
        case _:
            return sentence(SENTENCES, RefusalDetail.CANNOT_RUN)
