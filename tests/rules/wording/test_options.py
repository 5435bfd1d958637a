"""Options and their problems as people read them."""

import pytest

from commands.rules.kinds import Kind, OptionProblemCode, clean_options
from commands.rules.wording.options import SENTENCES, describe_option_problem, describe_options


def test_every_problem_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(OptionProblemCode)


@pytest.mark.parametrize(
    ("kind", "name", "given", "sentence"),
    [
        (Kind.SPEED_TEST, "time-limit-min", 5, "Speed test has no option “time-limit-min”."),
        (Kind.PCAP, "time-limit-min", "five", "Duration has to be a whole number (min)."),
        (Kind.PCAP, "time-limit-min", 0, "Duration has to be at least 1 min."),
        (Kind.PCAP, "max-file-size-mb", 51, "Maximum file size has to be at most 50 MB."),
        (Kind.WARP_DIAG, "test-all-routes", "maybe", "All routes has to be on or off."),
        (Kind.SPEED_TEST, "interfaces", 7, "Interfaces can have: default, tunnel."),
        (Kind.SPEED_TEST, "interfaces", "wifi,lte", "Interfaces can have default, tunnel, not lte, wifi."),
    ],
)
def test_problem_names_the_option_and_what_it_takes(kind: Kind, name: str, given: object, sentence: str) -> None:
    _, problems = clean_options(kind, {name: given})
    assert describe_option_problem(problems[name]) == sentence


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (
            Kind.PCAP,
            {"time-limit-min": 5, "max-file-size-mb": 50, "packet-size-bytes": 160},
            "5 min · 50 MB · 160 bytes",
        ),
        (Kind.WARP_DIAG, {"test-all-routes": True}, "all routes"),
        (Kind.WARP_DIAG, {"test-all-routes": False}, "not all routes"),
        (Kind.SPEED_TEST, {"interfaces": ["default", "tunnel"]}, "default + tunnel"),
        (Kind.SPEED_TEST, {}, ""),
    ],
)
def test_options_are_described_on_one_line(kind: Kind, options: dict[str, object], text: str) -> None:
    assert describe_options(kind, clean_options(kind, options)[0]) == text
