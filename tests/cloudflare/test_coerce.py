"""Conversion of single values and headers."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.cloudflare import coerce
from commands.cloudflare.types import Json

NO_DEADLINE = settings(deadline=None)  # no test may fail because the machine is busy


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
def test_times_are_read_in_both_formats(value: Json, at: datetime | None) -> None:
    assert coerce.instant(value) == at


@pytest.mark.parametrize(
    ("value", "expected"),
    [(" AbC ", "abc"), (7, "7"), (None, ""), (True, ""), (["a"], ""), ("x" * 101, ""), ("a\x00b", "a�b")],
)
def test_identifier_is_trimmed_and_lower_case_or_empty(value: Json, expected: str) -> None:
    assert coerce.identifier(value) == expected


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
def test_date_header_becomes_a_time_or_none(headers: Mapping[str, str], at: datetime | None) -> None:
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
def test_retry_after_accepts_decimals_and_has_a_maximum(value: str, seconds: float | None) -> None:
    assert coerce.retry_after({"Retry-After": value}) == seconds


@NO_DEADLINE
@given(st.text(max_size=60))
def test_headers_of_any_text_raise_no_error(value: str) -> None:
    headers = {"Date": value, "Retry-After": value}
    coerce.response_date(headers)
    pause = coerce.retry_after(headers)
    assert pause is None or 0 <= pause <= 86_400
    name = coerce.safe_filename(value)
    assert name not in {".", ".."}
    assert "/" not in name
    assert "\\" not in name
