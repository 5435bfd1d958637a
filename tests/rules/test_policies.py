import pytest

from commands.rules.kinds import Kind
from commands.rules.policies import Policy, Refusal, purpose, run_again, send_at_once, ticket, withdraw
from commands.rules.states import DONE, IN_FLIGHT, UNSENT, Status

CALM = Policy()
STRICT = Policy(
    ticket_required=True,
    ticket_pattern=r"INC-\d+",
    ticket_example="INC-4711",
    purpose_required=True,
    approval_for=frozenset({Kind.PCAP}),
)


def _reason(refusal: Refusal | None) -> str:
    assert refusal is not None
    return refusal.reason


def test_the_defaults_ask_for_nothing() -> None:
    assert ticket(CALM, "") is None
    assert ticket(CALM, "whatever") is None
    assert purpose(CALM, "") is None
    assert [send_at_once(CALM, kind) for kind in Kind] == [None] * len(Kind)


def test_a_required_ticket_and_purpose_are_asked_for() -> None:
    assert _reason(ticket(STRICT, "")) == "A ticket is needed."
    assert _reason(purpose(STRICT, "")) == "A purpose is needed."
    assert ticket(STRICT, "INC-1") is None
    assert purpose(STRICT, "slow") is None


@pytest.mark.parametrize("wrong", ["INC-", "xINC-1", "INC-1x", "INC-1\n"])
def test_a_ticket_fits_the_pattern_from_end_to_end_or_an_example_is_shown(wrong: str) -> None:
    assert _reason(ticket(STRICT, wrong)).endswith("is not what a ticket looks like here, such as INC-4711.")


def test_a_ticket_that_is_not_needed_still_has_to_fit() -> None:
    policy = Policy(ticket_pattern=r"\d+")
    assert ticket(policy, "") is None
    assert _reason(ticket(policy, "a")) == "“a” is not what a ticket looks like here."


def test_a_pattern_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="regular expression"):
        Policy(ticket_pattern="(")


def test_a_kind_that_wants_approval_is_not_sent_at_once_and_the_others_are() -> None:
    assert _reason(send_at_once(STRICT, Kind.PCAP)) == "Packet capture: a second person has to approve it."
    assert send_at_once(STRICT, Kind.WARP_DIAG) is None


@pytest.mark.parametrize("status", Status)
def test_only_what_was_not_sent_is_withdrawn(status: Status) -> None:
    assert (withdraw(status) is None) is (status in UNSENT)
    if status in IN_FLIGHT:
        assert "cannot take a command back" in _reason(withdraw(status))


@pytest.mark.parametrize("status", Status)
def test_only_what_has_ended_is_run_again(status: Status) -> None:
    assert (run_again(status) is None) is (status in DONE)
    if status is Status.QUEUED:
        assert _reason(run_again(status)) == "It has not ended: queued."
