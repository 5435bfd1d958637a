import pytest

from commands.rules.kinds import Kind
from commands.rules.policies import (
    NO_RULES,
    Policy,
    Refusal,
    RefusalCode,
    account_in_use,
    purpose,
    run_again,
    send_at_once,
    ticket,
    withdraw,
)
from commands.rules.states import DONE, IN_FLIGHT, UNSENT, Status

STRICT = Policy(
    ticket_required=True,
    ticket_pattern=r"INC-\d+",
    ticket_example="INC-4711",
    purpose_required=True,
    approval_for=frozenset({Kind.PCAP}),
)


def test_account_needs_a_credential_and_the_current_upstream() -> None:
    usable = {"retired": False, "other_upstream": False, "has_credential": True}
    assert account_in_use("Acme", **usable) is None
    for change, code in (
        ({"retired": True}, RefusalCode.ACCOUNT_RETIRED),
        ({"other_upstream": True}, RefusalCode.OTHER_UPSTREAM),
        ({"has_credential": False}, RefusalCode.NO_CREDENTIAL),
    ):
        assert account_in_use("Acme", **usable | change) == Refusal(code, {"account": "Acme"})


def test_default_policy_requires_nothing() -> None:
    assert ticket(NO_RULES, "") is None
    assert ticket(NO_RULES, "whatever") is None
    assert purpose(NO_RULES, "") is None
    assert [send_at_once(NO_RULES, kind) for kind in Kind] == [None] * len(Kind)


def test_required_ticket_and_purpose_are_refused_when_empty() -> None:
    assert ticket(STRICT, "") == Refusal(RefusalCode.TICKET_REQUIRED)
    assert purpose(STRICT, "") == Refusal(RefusalCode.PURPOSE_REQUIRED)
    assert ticket(STRICT, "INC-1") is None
    assert purpose(STRICT, "slow") is None


@pytest.mark.parametrize("wrong", ["INC-", "xINC-1", "INC-1x", "INC-1\n"])
def test_ticket_has_to_match_the_whole_pattern(wrong: str) -> None:
    assert ticket(STRICT, wrong) == Refusal(RefusalCode.TICKET_INVALID, {"ticket": wrong, "example": "INC-4711"})


def test_optional_ticket_has_to_match_the_pattern_too() -> None:
    policy = Policy(ticket_pattern=r"\d+")
    assert ticket(policy, "") is None
    assert ticket(policy, "a") == Refusal(RefusalCode.TICKET_INVALID, {"ticket": "a", "example": ""})


def test_invalid_ticket_pattern_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="regular expression"):
        Policy(ticket_pattern="(")


def test_only_kinds_that_need_approval_are_not_sent_at_once() -> None:
    assert send_at_once(STRICT, Kind.PCAP) == Refusal(RefusalCode.NEEDS_APPROVAL, {"kind": Kind.PCAP})
    assert send_at_once(STRICT, Kind.WARP_DIAG) is None


@pytest.mark.parametrize("status", Status)
def test_only_unsent_commands_are_withdrawn(status: Status) -> None:
    refusal = withdraw(status)
    assert (refusal is None) is (status in UNSENT)
    if status in IN_FLIGHT:
        assert refusal == Refusal(RefusalCode.ALREADY_SENT)
    if status in DONE:
        assert refusal == Refusal(RefusalCode.ALREADY_FINISHED, {"status": status})


@pytest.mark.parametrize("status", Status)
def test_only_finished_commands_are_run_again(status: Status) -> None:
    expected = None if status in DONE else Refusal(RefusalCode.NOT_FINISHED, {"status": status})
    assert run_again(status, Kind.PCAP) == expected
    assert run_again(status, "invented") == Refusal(RefusalCode.UNKNOWN_KIND)
