from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.rules.kinds import (
    CAPTURES,
    DOCUMENTED_CEILINGS,
    SPECS,
    Ceilings,
    Kind,
    Option,
    OptionProblem,
    OptionProblemCode,
    Options,
    OptionType,
    clean_options,
    deadline,
    on_the_wire,
    options_of,
    warnings,
)

NUMBERS = [
    (kind, option) for kind, spec in SPECS.items() for option in spec.options if option.type is OptionType.WHOLE_NUMBER
]


def test_every_kind_has_a_spec_with_labels() -> None:
    assert set(SPECS) == set(Kind) == {"pcap", "warp-diag", "speed-test"}
    for kind, spec in SPECS.items():
        assert spec.kind is kind
        assert spec.label
        assert spec.sentence.endswith(".")
        assert len({option.name for option in spec.options}) == len(spec.options)


def test_defaults_and_ceilings_are_those_of_the_contract() -> None:
    assert DOCUMENTED_CEILINGS == {
        (Kind.PCAP, "time-limit-min"): 10,
        (Kind.PCAP, "max-file-size-mb"): 50,
        (Kind.PCAP, "packet-size-bytes"): 1500,
        (Kind.WARP_DIAG, "max-file-size-mb"): 100,
    }
    assert clean_options(Kind.PCAP, {}) == (
        {"time-limit-min": 5, "max-file-size-mb": 5, "packet-size-bytes": 160},
        {},
    )
    assert clean_options(Kind.WARP_DIAG, {}) == ({"test-all-routes": True}, {})
    assert clean_options(Kind.SPEED_TEST, {}) == ({}, {})


def test_capture_and_diag_count_as_captures() -> None:
    assert {Kind.PCAP, Kind.WARP_DIAG} == CAPTURES


def test_diag_goes_before_the_capture() -> None:
    assert list(SPECS).index(Kind.WARP_DIAG) < list(SPECS).index(Kind.PCAP)


@pytest.mark.parametrize(("kind", "option"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_number_or_its_text_has_to_be_within_the_bounds(kind: Kind, option: Option) -> None:
    name, least, ceiling = option.name, option.least, option.ceiling
    assert least is not None
    assert ceiling is not None
    for good in (least, ceiling, str(least), f" {ceiling} "):
        options, problems = clean_options(kind, {name: good})
        assert (options[name], problems) == (int(good), {})
    too_small = OptionProblem(OptionProblemCode.TOO_SMALL, kind, name, limit=least)
    assert clean_options(kind, {name: least - 1})[1] == {name: too_small}
    too_large = OptionProblem(OptionProblemCode.TOO_LARGE, kind, name, limit=ceiling)
    assert clean_options(kind, {name: ceiling + 1})[1] == {name: too_large}
    for bad in ("five", "1.5", 1.5, True, "٣", "--1", "9" * 5000, [1]):
        options, problems = clean_options(kind, {name: bad})
        assert problems == {name: OptionProblem(OptionProblemCode.NOT_A_NUMBER, kind, name)}
        assert name not in options


def test_raised_ceiling_counts_and_the_others_stay() -> None:
    raised: Ceilings = {(Kind.PCAP, "time-limit-min"): 30}
    options, problems = clean_options(Kind.PCAP, {"time-limit-min": 30, "max-file-size-mb": 51}, raised)
    assert options["time-limit-min"] == 30
    too_large = OptionProblem(OptionProblemCode.TOO_LARGE, Kind.PCAP, "max-file-size-mb", limit=50)
    assert problems == {"max-file-size-mb": too_large}


@pytest.mark.parametrize(
    ("given", "read"), [(True, True), ("on", True), ("TRUE", True), (False, False), ("0", False), ("no", False)]
)
def test_switch_is_read_from_forms_and_files(given: object, read: bool) -> None:
    assert clean_options(Kind.WARP_DIAG, {"test-all-routes": given}) == ({"test-all-routes": read}, {})


def test_switch_that_is_neither_on_nor_off_is_an_error() -> None:
    problem = clean_options(Kind.WARP_DIAG, {"test-all-routes": "maybe"})[1]["test-all-routes"]
    assert problem.code is OptionProblemCode.NOT_A_SWITCH


@pytest.mark.parametrize("given", [["tunnel", "default"], "tunnel, default", ("default", "tunnel", "tunnel")])
def test_choices_are_read_once_and_in_their_own_order(given: object) -> None:
    assert clean_options(Kind.SPEED_TEST, {"interfaces": given}) == ({"interfaces": ["default", "tunnel"]}, {})


@pytest.mark.parametrize(
    ("given", "code", "unknown"),
    [
        (["wifi", "lte"], OptionProblemCode.UNKNOWN_CHOICES, ("lte", "wifi")),
        ("default,wifi", OptionProblemCode.UNKNOWN_CHOICES, ("wifi",)),
        (7, OptionProblemCode.NOT_CHOICES, ()),
    ],
)
def test_unknown_choice_is_an_error(given: object, code: OptionProblemCode, unknown: tuple[str, ...]) -> None:
    problem = OptionProblem(code, Kind.SPEED_TEST, "interfaces", unknown=unknown)
    assert clean_options(Kind.SPEED_TEST, {"interfaces": given}) == ({}, {"interfaces": problem})


def test_unknown_option_is_an_error() -> None:
    assert clean_options(Kind.SPEED_TEST, {"time-limit-min": 5})[1] == {
        "time-limit-min": OptionProblem(OptionProblemCode.UNKNOWN_OPTION, Kind.SPEED_TEST, "time-limit-min")
    }


scraps = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=3))


@given(st.sampled_from(Kind), st.data())
def test_cleaned_options_stay_the_same_when_cleaned_again(kind: Kind, data: st.DataObject) -> None:
    names = [option.name for option in SPECS[kind].options]
    options, problems = clean_options(kind, data.draw(st.dictionaries(st.sampled_from(names), scraps)))
    assert not set(options) & set(problems)
    again, more = clean_options(kind, options)
    assert not more
    assert options.items() <= again.items()


def test_too_small_value_has_a_warning() -> None:
    options, _ = clean_options(Kind.PCAP, {})
    assert list(warnings(Kind.PCAP, options)) == ["max-file-size-mb"]
    assert warnings(Kind.PCAP, {**options, "max-file-size-mb": 50}) == {}


def test_each_dialect_gets_only_its_own_options() -> None:
    capture: Options = {"time-limit-min": 5, "interfaces": ["tunnel"]}
    assert on_the_wire(Kind.PCAP, capture) == {"time-limit-min": 5}
    assert on_the_wire(Kind.PCAP, capture, legacy=True) == capture
    assert on_the_wire(Kind.SPEED_TEST, {"interfaces": ["tunnel"]}) == {"interfaces": ["tunnel"]}
    assert [option.name for option in options_of(Kind.WARP_DIAG)] == ["test-all-routes"]
    assert "max-file-size-mb" in [option.name for option in options_of(Kind.WARP_DIAG, legacy=True)]
    assert [kind for kind, spec in SPECS.items() if not spec.legacy] == [Kind.SPEED_TEST]


def test_deadline_is_the_offline_time_out_the_run_and_the_upload() -> None:
    allowance = deadline(Kind.PCAP, {"time-limit-min": 0})
    assert deadline(Kind.PCAP, {"time-limit-min": 3}) - allowance == timedelta(minutes=3)
    assert deadline(Kind.PCAP, {}) == deadline(Kind.PCAP, {"time-limit-min": 10})
    assert deadline(Kind.WARP_DIAG, {"test-all-routes": False}) < deadline(Kind.WARP_DIAG, {})
    short, shorter = timedelta(minutes=1), timedelta(seconds=30)
    assert deadline(Kind.PCAP, {"time-limit-min": 2}, offline=short, upload=shorter) == timedelta(seconds=210)
    for kind in Kind:
        assert deadline(kind, {}) > timedelta(minutes=10)
