"""Whatever JSON comes, it becomes our values or one of our errors; and which answer belongs to whom."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.cloudflare import coerce, parsing, responses
from commands.cloudflare.auth import TokenAuth
from commands.cloudflare.errors import OutcomeUnknown, ReportedFailure, Unreadable
from commands.cloudflare.match_response import pair
from commands.cloudflare.types import Call, Created, Json, NewCommand

AUTH = TokenAuth("secret")
CALM = settings(deadline=None)  # a busy machine is no failure
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["a", "PENDING_EXEC", "2026-11-22T05:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "x" * 300]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
FIELDS = """
success result errors commands devices id type args status device_id filename created_date quota code message
source pointer deviceId timestamp
"""
KEYS = TEXTS | st.sampled_from(FIELDS.split())
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)


def envelope(inner: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({"success": st.just(True) | SCALARS, "result": inner, "errors": ANYTHING})


ROWS = st.dictionaries(KEYS, ANYTHING, max_size=8)
RESULTS = st.fixed_dictionaries({"commands": st.lists(ROWS | ANYTHING), "devices": st.lists(ROWS)}) | ANYTHING


@CALM
@given(envelope(RESULTS) | ANYTHING)
def test_the_parser_raises_nothing_but_its_own_errors(value: object) -> None:
    body = json.dumps(value).encode()
    try:
        result = responses.unwrap(Call.LIST, responses.parse_json(Call.LIST, body), AUTH)
        commands = parsing.rows(Call.LIST, result, "commands")
        devices = parsing.rows(Call.DEVICES, result, "devices")
    except OutcomeUnknown:
        return
    listed = parsing.page(commands, parsing.listed_command, 1, 50, None)
    assert len(listed.rows) + listed.unreadable == len(commands)
    for row in listed.rows:
        assert row.id == row.id.strip().lower()
        assert all(at is None or at.tzinfo is UTC for at in (row.created_date, row.completed_date))
        json.dumps([row.id, row.status, row.filename]).encode()
        assert "\x00" not in row.id + row.kind + row.status + row.user_email + row.filename
        assert not {"/", "\\"} & set(row.filename)
        (row.id + row.kind + row.status + row.filename).encode()  # no half of a surrogate pair
    for created in parsing.page(commands, parsing.created, 1, 50, None).rows:
        hash(created)
    assert parsing.page(devices, parsing.listed_device, 1, 50, None).number == 1


@CALM
@given(ANYTHING)
def test_a_quota_is_read_from_anything(value: object) -> None:
    cleaned = responses.parse_json(Call.QUOTA, json.dumps(value).replace("NaN", "0").replace("Infinity", "1").encode())
    if isinstance(cleaned, dict | None):
        quota = parsing.quota(Call.QUOTA, cleaned, None)
        assert quota.total is None or quota.total >= 0
    else:
        with pytest.raises(Unreadable):
            parsing.quota(Call.QUOTA, cleaned, None)


@CALM
@given(st.binary(max_size=200))
def test_bytes_become_json_or_unreadable(body: bytes) -> None:
    try:
        found = responses.parse_json(Call.LIST, body)
    except Unreadable:
        return
    assert found == found  # noqa: PLR0124 - a NaN is not equal to itself, and no database takes it


@pytest.mark.parametrize(
    "body",
    [b"", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"9" * 5000, b'"\xff"', b"[" * 60 + b"]" * 60, b"\xef\xbb\xbf"],
    ids=["empty", "nan", "infinity", "deep", "digits", "bytes", "nested", "mark"],
)
def test_what_is_no_json_for_us_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        responses.parse_json(Call.ANALYSIS, body)


def test_an_analysis_keeps_its_lines_and_loses_what_no_database_takes() -> None:
    body = rb'{"a\u0000b": "one\n\ttwo\u0000\ud800", "n": 1e999, "ok": [1, 2.5, true, null]}'
    found = responses.parse_json(Call.ANALYSIS, body)
    assert found == {"a�b": "one\n\ttwo��", "n": None, "ok": [1, 2.5, True, None]}


@pytest.mark.parametrize("success", [False, None, "true", 0, 1, []])
def test_only_true_is_success(success: Json) -> None:
    with pytest.raises(ReportedFailure):
        responses.unwrap(Call.LIST, {"success": success, "result": {}}, AUTH)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-22T05:00:00Z", datetime(2026, 11, 22, 5, tzinfo=UTC)),
        ("2026-11-22t05:00:00z", datetime(2026, 11, 22, 5, tzinfo=UTC)),
        ("2026-11-22T05:00:00.123456789Z", datetime(2026, 11, 22, 5, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-22T07:00:00+02:00", datetime(2026, 11, 22, 5, tzinfo=UTC)),
        (" 2023-10-11 00:00:00+00 ", datetime(2023, 10, 11, tzinfo=UTC)),
        ("2023-10-11 00:00:00", datetime(2023, 10, 11, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("9999-12-31T00:00:00Z", None),
        ("2100-01-01T00:00:00Z", None),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2009-12-31T23:59:59Z", None),
        ("2010-01-01T00:00:00Z", datetime(2010, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", None),
        ("2026-11-22", None),
        ("yesterday at five o'clock", None),
        ("", None),
        (1700000000, None),
        (None, None),
        (["2026-11-22T05:00:00Z"], None),
    ],
)
def test_times_come_in_both_forms(value: Json, at: datetime | None) -> None:
    assert coerce.instant(value) == at


@pytest.mark.parametrize(
    ("value", "found"),
    [(" AbC ", "abc"), (7, "7"), (None, ""), (True, ""), (["a"], ""), ("x" * 101, ""), ("a\x00b", "a�b")],
)
def test_an_id_is_trimmed_lower_case_or_absent(value: Json, found: str) -> None:
    assert coerce.identifier(value) == found


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ({"Date": "Sun, 22 Nov 2026 06:00:00 GMT"}, datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ({"Date": "Sun, 22 Nov 2026 06:00:00 -0000"}, datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ({"Date": "Sun, 99 Nov 99999 06:00:00 GMT"}, None),
        ({"Date": "Fri, 31 Dec 9999 23:00:00 GMT"}, None),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"Date": "Mon, 01 Jan 1900 00:00:00 GMT"}, None),
        ({"Date": "now"}, None),
        ({}, None),
    ],
)
def test_cloudflares_clock_is_read_or_absent(headers: Mapping[str, str], at: datetime | None) -> None:
    assert coerce.response_date(headers) == at


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 1.5 ", 1.5),
        ("0.", 0),
        ("9" * 400, 86_400),
        ("-1", None),
        ("1e3", None),
        ("1,5", None),
        ("", None),
    ],
)
def test_a_pause_is_read_with_its_decimals_and_has_a_bound(value: str, seconds: float | None) -> None:
    assert coerce.retry_after({"Retry-After": value}) == seconds


@pytest.mark.parametrize("row", [{"type": " PCAP"}, {"command_type": "Pcap"}])
def test_a_kind_is_lower_case_in_an_answer_and_in_a_listing(row: dict[str, Json]) -> None:
    assert (parsing.created(row).kind, parsing.listed_command(row).kind) == ("pcap", "pcap")


@CALM
@given(st.text(max_size=60))
def test_headers_of_any_text_are_read_without_an_error(value: str) -> None:
    headers = {"Date": value, "Retry-After": value}
    coerce.response_date(headers)
    pause = coerce.retry_after(headers)
    assert pause is None or 0 <= pause <= 86_400
    name = coerce.safe_filename(value)
    assert name not in {".", ".."}
    assert "/" not in name
    assert "\\" not in name


def asked(device: str, kind: str = "pcap", registration: str = "") -> NewCommand:
    return NewCommand(device, kind, "ann@example.com", registration)


def made(one: str, device: str, kind: str = "pcap", registration: str = "") -> Created:
    return Created(one, kind, "PENDING_EXEC", device, registration)


def test_answers_are_paired_by_device_and_kind_in_any_order() -> None:
    items = [asked("D1 ", "pcap", "R1"), asked("d1", "warp-diag"), asked("d2")]
    answer = [made("c", "d2"), made("b", "d1", "warp-diag", "r9"), made("a", "d1", "pcap", "r1")]
    found = pair(items, answer)
    assert [(index, created.id) for index, created in found.pairs] == [(0, "a"), (1, "b"), (2, "c")]
    assert (found.missing, found.unmatched) == ((), ())


def test_the_registration_counts_only_where_both_sides_have_one() -> None:
    assert pair([asked("d1", registration="r1")], [made("a", "d1")]).missing == ()
    assert pair([asked("d1")], [made("a", "d1", registration="r1")]).missing == ()
    other = pair([asked("d1", registration="r1")], [made("a", "d1", registration="r2")])
    assert (other.missing, [created.id for created in other.unmatched]) == ((0,), ["a"])


def test_an_exact_registration_goes_before_an_absent_one() -> None:
    found = pair([asked("d1"), asked("d1", registration="r2")], [made("a", "d1", registration="r2"), made("b", "d1")])
    assert [(index, created.id) for index, created in found.pairs] == [(0, "b"), (1, "a")]


@pytest.mark.parametrize(
    ("items", "answer"),
    [
        ([asked("d1", registration="r1"), asked("d1", registration="r2")], [made("a", "d1")]),
        ([asked("d1")], [made("a", "d1"), made("b", "d1")]),
        ([asked("d1")], [made("", "d1")]),
        ([asked("d1")], [made("a", "d1", "warp-diag")]),
        ([asked("d1")], [made("a", "d1", "")]),
        ([asked("d1"), asked("d2")], [made("a", "d1"), made("a", "d2")]),
    ],
    ids=["two may own it", "two answers", "no id", "another kind", "no kind", "one id twice"],
)
def test_nothing_is_guessed(items: list[NewCommand], answer: list[Created]) -> None:
    found = pair(items, answer)
    assert found.pairs == ()
    assert found.missing == tuple(range(len(items)))
    assert set(found.unmatched) == set(answer)


def test_a_repeated_row_is_one_answer() -> None:
    found = pair([asked("d1")], [made("a", "d1"), made("a", "d1")])
    assert [created.id for _, created in found.pairs] == ["a"]
    assert found.unmatched == ()


COMMANDS = st.builds(
    asked, st.sampled_from("ab"), st.sampled_from(["pcap", "warp-diag"]), st.sampled_from(["", "r", "s"])
)
ANSWERS = st.builds(
    made,
    st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from("abc"),
    st.sampled_from(["pcap", ""]),
    st.sampled_from(["", "r"]),
)


@CALM
@given(st.lists(COMMANDS, max_size=6), st.lists(ANSWERS, max_size=6))
def test_every_command_has_one_answer_or_is_missing_and_no_id_has_two_owners(
    items: list[NewCommand], answer: list[Created]
) -> None:
    found = pair(items, answer)
    owners = [index for index, _ in found.pairs]
    assert sorted([*owners, *found.missing]) == list(range(len(items)))
    ids = [created.id for _, created in found.pairs]
    assert len(ids) == len(set(ids))
    assert "" not in ids
    assert {created for _, created in found.pairs} | set(found.unmatched) == set(answer)
