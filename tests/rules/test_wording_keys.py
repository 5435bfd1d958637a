from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.wording.artifacts import describe_artifact_reason
from tests.wording_keys import assert_sentences_are_keys


def test_tests_of_the_rules_see_keys_in_place_of_every_sentence() -> None:
    assert_sentences_are_keys()


def test_sentence_of_a_code_is_its_key() -> None:
    assert describe_artifact_reason(ArtifactReason.NOT_FOUND) == "not_found"
    assert describe_artifact_reason(ArtifactReason.NOT_FOUND, "No such file") == "WITH_MESSAGE not_found No such file"
