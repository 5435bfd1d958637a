"""Sentences for why a command has its status."""

import pytest

from commands.rules.reasons import CommandReasonCode
from commands.rules.wording.commands import SENTENCES, describe_reason, summarize_reason


def test_every_code_has_a_sentence_of_its_own() -> None:
    assert list(SENTENCES) == list(CommandReasonCode)
    assert len(set(SENTENCES.values())) == len(SENTENCES)
    assert all(text[0].isupper() and text.endswith(".") for text in SENTENCES.values())


@pytest.mark.parametrize("code", CommandReasonCode)
def test_reason_without_a_message_is_its_sentence(code: CommandReasonCode) -> None:
    assert describe_reason(code) == SENTENCES[code]
    assert summarize_reason(code) == SENTENCES[code]


def test_no_code_means_no_reason() -> None:
    assert describe_reason("") == ""
    assert summarize_reason("") == ""


def test_reason_with_a_message_adds_it_with_its_codes() -> None:
    assert describe_reason("rejected", "no such device", http_status=400, code=4711) == (
        "Cloudflare rejected the request. Cloudflare's message: “no such device” (HTTP 400, code 4711)."
    )
    assert describe_reason("server_error", http_status=503) == "Cloudflare failed. (HTTP 503)"


def test_message_with_braces_stays_as_it_came() -> None:
    assert "“{code} {0}”" in describe_reason("rejected", "{code} {0}")


def test_summary_of_a_rejection_is_the_message_alone() -> None:
    assert summarize_reason("rejected", "no such device") == "no such device"
    assert summarize_reason("throttled", "slow down") == describe_reason("throttled", "slow down")
