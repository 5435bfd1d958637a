from tests.wording_keys import assert_sentences_are_keys


def test_tests_of_actions_see_keys_in_place_of_every_sentence() -> None:
    assert_sentences_are_keys()
