"""Parsing of any JSON into the client's values or into its own errors."""

import json
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.cloudflare import parsing, responses
from commands.cloudflare.auth import TokenAuth
from commands.cloudflare.errors import OutcomeUnknown, ReportedFailure, Unreadable
from commands.cloudflare.types import Call, Json

AUTH = TokenAuth("secret")
NO_DEADLINE = settings(deadline=None)  # no test may fail because the machine is busy
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


@NO_DEADLINE
@given(envelope(RESULTS) | ANYTHING)
def test_parser_raises_only_its_own_errors(value: object) -> None:
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
        (row.id + row.kind + row.status + row.filename).encode()  # fails for half of a surrogate pair
    for created in parsing.page(commands, parsing.created, 1, 50, None).rows:
        hash(created)
    assert parsing.page(devices, parsing.listed_device, 1, 50, None).number == 1


@NO_DEADLINE
@given(ANYTHING)
def test_any_json_becomes_a_quota_or_unreadable(value: object) -> None:
    cleaned = responses.parse_json(Call.QUOTA, json.dumps(value).replace("NaN", "0").replace("Infinity", "1").encode())
    if isinstance(cleaned, dict | None):
        quota = parsing.quota(Call.QUOTA, cleaned, None)
        assert quota.total is None or quota.total >= 0
    else:
        with pytest.raises(Unreadable):
            parsing.quota(Call.QUOTA, cleaned, None)


@NO_DEADLINE
@given(st.binary(max_size=200))
def test_any_bytes_become_json_or_unreadable(body: bytes) -> None:
    try:
        value = responses.parse_json(Call.LIST, body)
    except Unreadable:
        return
    assert value == value  # noqa: PLR0124 - NaN is not equal to itself, and JSON columns reject it


@pytest.mark.parametrize(
    "body",
    [b"", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"9" * 5000, b'"\xff"', b"[" * 60 + b"]" * 60, b"\xef\xbb\xbf"],
    ids=["empty", "nan", "infinity", "deep", "digits", "bytes", "nested", "mark"],
)
def test_invalid_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        responses.parse_json(Call.ANALYSIS, body)


def test_analysis_keeps_line_ends_and_loses_unsafe_characters() -> None:
    body = rb'{"a\u0000b": "one\n\ttwo\u0000\ud800", "n": 1e999, "ok": [1, 2.5, true, null]}'
    value = responses.parse_json(Call.ANALYSIS, body)
    assert value == {"a�b": "one\n\ttwo��", "n": None, "ok": [1, 2.5, True, None]}


@pytest.mark.parametrize("success", [False, None, "true", 0, 1, []])
def test_any_success_but_true_is_a_reported_failure(success: Json) -> None:
    with pytest.raises(ReportedFailure):
        responses.unwrap(Call.LIST, {"success": success, "result": {}}, AUTH)


@pytest.mark.parametrize("row", [{"type": " PCAP"}, {"command_type": "Pcap"}])
def test_kind_is_lower_case_in_responses_and_listings(row: dict[str, Json]) -> None:
    assert (parsing.created(row).kind, parsing.listed_command(row).kind) == ("pcap", "pcap")
