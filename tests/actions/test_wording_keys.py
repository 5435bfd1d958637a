from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.wording.artifacts import describe_artifact_reason
from tests.wording_keys import tables, templates


def test_tests_of_actions_see_keys_in_place_of_every_sentence() -> None:
    for table in tables():
        assert table.sentences == table.keys, table.name
    for holder, name, key in templates():
        assert getattr(holder, name) == key


def test_sentence_of_a_code_is_its_key() -> None:
    assert describe_artifact_reason(ArtifactReason.NOT_FOUND) == "not_found"
    assert describe_artifact_reason(ArtifactReason.NOT_FOUND, "No such file") == "WITH_MESSAGE not_found No such file"
