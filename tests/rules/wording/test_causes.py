"""Sentences for why a command may have failed."""

from commands.rules.causes import Cause, CauseCode, Confidence
from commands.rules.wording.causes import CONFIDENCES, SENTENCES, describe_cause


def test_every_cause_and_every_confidence_has_its_own_words() -> None:
    assert list(SENTENCES) == list(CauseCode)
    assert list(CONFIDENCES) == list(Confidence)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


def test_sentence_names_confidence_and_limit() -> None:
    assert describe_cause(Cause(CauseCode.CAPTURE_TOO_LARGE, Confidence.LIKELY, megabytes=5)) == (
        "Likely: the capture exceeded its limit of 5 MB and was not uploaded."
    )
    assert describe_cause(Cause(CauseCode.NOT_CONNECTED, Confidence.POSSIBLE)) == (
        "Possible: the device was not connected to Cloudflare for 10 minutes."
    )
