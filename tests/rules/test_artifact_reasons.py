"""Reasons of artifacts: what a zip lacks, and a sentence for every reason."""

import pytest

from commands.rules.artifact_reasons import ArtifactReason, partial_reason
from commands.rules.wording.artifacts import SENTENCES, describe_artifact_reason


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["capture-default.pcap", "results.json"], ArtifactReason.MISSING_TUNNEL_CAPTURE),
        (["capture-tunnel.pcap"], ArtifactReason.MISSING_DEVICE_CAPTURE),
        (["results.json"], ArtifactReason.MISSING_CAPTURES),
        (["x/capture-default.pcapng", "capture-tunnel.pcap"], None),
    ],
)
def test_zip_of_a_capture_names_the_capture_that_is_missing(files: list[str], reason: ArtifactReason | None) -> None:
    assert partial_reason("pcap", {}, files) == reason


def test_other_kinds_promise_no_file() -> None:
    assert partial_reason("warp-diag", {}, []) is None


def test_every_reason_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(ArtifactReason)


def test_message_of_the_failing_side_follows_the_reason() -> None:
    text = describe_artifact_reason(ArtifactReason.STORAGE_FAILED, "No space left on device")
    assert text == "The file could not be saved to the storage. “No space left on device”"
    assert describe_artifact_reason("") == ""
