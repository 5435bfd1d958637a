from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.wording.artifacts import SENTENCES, describe_artifact_reason


def test_every_reason_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(ArtifactReason)


def test_message_of_the_failing_side_follows_the_reason() -> None:
    text = describe_artifact_reason(ArtifactReason.STORAGE_FAILED, "No space left on device")
    assert text == "The file could not be saved to the storage. “No space left on device”"
    assert describe_artifact_reason("") == ""


def test_reason_of_an_incomplete_capture_names_the_missing_side() -> None:
    text = describe_artifact_reason(ArtifactReason.MISSING_TUNNEL_CAPTURE)
    assert text == "Incomplete: the tunnel capture is missing."
