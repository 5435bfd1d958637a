from commands.rules.pauses import Operation, PauseReason
from commands.rules.wording.pauses import (
    BANNER_SENTENCES,
    BANNER_TIMES,
    BANNER_TITLES,
    CONSEQUENCES,
    COUNTS,
    OPERATIONS,
    SENTENCES,
    BannerCode,
    Count,
    count_held,
    count_results,
    count_unsent,
    describe_consequence,
    describe_pause,
    join_operations,
)


def test_every_reason_operation_and_banner_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(PauseReason)
    assert OPERATIONS.keys() == CONSEQUENCES.keys() == set(Operation)
    assert BANNER_TITLES.keys() == BANNER_SENTENCES.keys() == BANNER_TIMES.keys() == set(BannerCode)
    assert COUNTS.keys() == set(Count)


def test_message_and_numbers_of_cloudflare_follow_the_reason() -> None:
    text = describe_pause(PauseReason.ACCOUNT_REFUSED, "no access {x}", http_status=403, code=10000)
    assert text == (
        "Cloudflare refused the account or the credential. Cloudflare's message: “no access {x}”. "
        "(HTTP 403, code 10000)"
    )
    assert describe_pause("") == ""


def test_operations_are_joined_into_one_phrase() -> None:
    assert join_operations([Operation.CREATE]) == "sending commands"
    names = join_operations([Operation.CREATE, Operation.LIST, Operation.DOWNLOAD])
    assert names == "sending commands, listing commands and downloading files"


def test_consequence_for_downloads_does_not_promise_days_to_expiring_results() -> None:
    assert "7 days" in describe_consequence(Operation.DOWNLOAD)
    assert "7 days" not in describe_consequence(Operation.DOWNLOAD, results_expire=True)


def test_one_thing_and_several_have_sentences_of_their_own() -> None:
    assert (count_results(1), count_results(2)) == ("1 result is", "2 results are")
    assert (count_held(1), count_held(2)) == ("1 command needs", "2 commands need")
    assert (count_unsent(1), count_unsent(2)) == (
        "1 command is waiting to be sent.",
        "2 commands are waiting to be sent.",
    )
    assert count_unsent(0) == ""
