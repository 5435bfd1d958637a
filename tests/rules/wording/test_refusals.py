"""Refusals as people read them."""

import pytest

from commands.rules.kinds import Kind
from commands.rules.plan import TargetFacts
from commands.rules.policies import Refusal, RefusalCode
from commands.rules.states import Status
from commands.rules.targeting import read_lines, resolve
from commands.rules.wording.refusals import SENTENCES, describe_refusal
from tests.rules.test_plan import laptop, planned

INELIGIBLE = laptop("tablet", eligible=False, ineligible_reason="unsupported platform")
OLD = laptop("old", client_version="2024.9.1.0")


def nothing_to_send(*targets: TargetFacts) -> str:
    return describe_refusal(Refusal(RefusalCode.NOTHING_TO_SEND, skipped=planned(*targets).skipped))


def test_every_code_has_a_sentence() -> None:
    assert set(RefusalCode) <= set(SENTENCES)


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (Refusal(RefusalCode.NO_CREDENTIAL, {"account": "Acme"}), "Acme has no credential yet. Ask an administrator."),
        (Refusal(RefusalCode.ALREADY_FINISHED, {"status": Status.FAILED}), "It has already finished: failed."),
        (Refusal(RefusalCode.NOT_FINISHED, {"status": Status.QUEUED}), "It hasn't finished yet: queued."),
        (Refusal(RefusalCode.TICKET_INVALID, {"ticket": "a", "example": "INC-1"}), "Tickets look like INC-1."),
        (Refusal(RefusalCode.TICKET_INVALID, {"ticket": "a", "example": ""}), "“a” isn't a valid ticket."),
        (
            Refusal(RefusalCode.NEEDS_APPROVAL, {"kind": Kind.PCAP}),
            "A second person has to approve a packet capture.",
        ),
    ],
)
def test_values_are_named_in_the_sentence(refusal: Refusal, sentence: str) -> None:
    assert describe_refusal(refusal) == sentence


def test_one_device_that_cannot_run_tells_why() -> None:
    assert nothing_to_send(INELIGIBLE) == "This device can't run it: unsupported platform."
    assert nothing_to_send(laptop(eligible=False)) == "This device can't run it. Cloudflare doesn't support it."
    assert nothing_to_send(OLD) == ("This device can't run it: client 2024.9.1.0 is too old, it needs 2024.12.492.0.")
    shared = laptop("pc", "", machine_registrations=2)
    assert nothing_to_send(shared) == "Several people use this device. Say which user."


def test_several_devices_that_cannot_run_are_named_unless_the_reason_is_the_same() -> None:
    assert nothing_to_send(INELIGIBLE, INELIGIBLE) == "No device can run it: not supported: unsupported platform."
    assert nothing_to_send(INELIGIBLE, OLD) == (
        "No device can run it: tablet (maria@example.com): not supported: unsupported platform; "
        "old (maria@example.com): update needed: client 2024.9.1.0, needs 2024.12.492.0."
    )


def test_lines_that_were_not_understood_are_described() -> None:
    errors = tuple(resolve(read_lines("zoe\nkim@example.com"), []).errors)
    assert describe_refusal(Refusal(RefusalCode.LINES_NOT_UNDERSTOOD, line_errors=errors)) == (
        "No person or device found for “zoe”. Cloudflare lists no device for kim@example.com. "
        "If you know the device id, enter it before the email."
    )
