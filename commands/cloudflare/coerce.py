"""Conversion of single JSON values and headers from Cloudflare into safe Python values.

The input may have any type and any content. No function here raises an exception for it: an unusable value becomes
None or an empty string.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from commands.cloudflare.types import Json

MAX_TEXT = 255
MAX_ID = 100
# Cloudflare opened in 2010. A time far outside of these years comes from a broken clock or is a placeholder (Go's zero
# time, 9999-12-31), and adding a duration to it could overflow.
_YEARS = range(2010, 2100)
_MAX_RETRY_AFTER = 24 * 3600.0  # seconds
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
# PostgreSQL stores no NUL, HTTP headers carry no control characters, and UTF-8 encodes no half of a surrogate pair.
_UNSAFE_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """Replace each control character and lone surrogate by U+FFFD."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_lines(text: str) -> str:
    """Replace the same characters as `clean`, but keep tabs and line ends."""
    return _UNSAFE_IN_LINES.sub("\N{REPLACEMENT CHARACTER}", text)


def text(value: Json) -> str:
    """Return a string, number or boolean as trimmed text of at most MAX_TEXT characters, else ''."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = repr(value)
    return clean(value.strip())[:MAX_TEXT] if isinstance(value, str) else ""


def identifier(value: Json) -> str:
    """Return a string or integer as a lower-case id, '' if it is longer than MAX_ID: a cut id would be a wrong id."""
    result = text(value).lower() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return result if len(result) <= MAX_ID else ""


def email(value: Json) -> str:
    return text(value).lower() if isinstance(value, str) else ""


def flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def count(value: Json) -> int | None:
    """Return an integer from 0 to 10**15 - 1, also from a float (rounded down) or from digits in a string."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value < 10**15 else None


def instant(value: Json) -> datetime | None:
    """Return a time in UTC, from RFC 3339 or `2023-10-11 00:00:00+00`. A time without a zone is taken as UTC."""
    if not isinstance(value, str) or not 19 <= len(value.strip()) <= 40:
        return None
    try:
        return _plausible(datetime.fromisoformat(value.strip().upper()))
    except (ValueError, OverflowError):
        return None


def header_date(value: str) -> datetime | None:
    """Return the time of an HTTP date in UTC."""
    try:
        return _plausible(parsedate_to_datetime(value))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _plausible(at: datetime) -> datetime | None:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at if at.year in _YEARS else None


def response_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the time of Cloudflare's clock, from the `Date` header."""
    return header_date(headers.get("Date", ""))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait from `Retry-After`, at most a day.

    The header holds seconds (decimals are accepted) or an HTTP date. A date is compared with the `Date` header of the
    same response, because our clock may differ from Cloudflare's.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), _MAX_RETRY_AFTER)
    until = header_date(value)
    if until is None:
        return None
    since = response_date(headers) or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), _MAX_RETRY_AFTER)


def strong_etag(value: str) -> str:
    """Return the ETag unchanged, '' if it is weak or can't be sent back in a header."""
    value = value.strip()
    is_safe = re.fullmatch(r"[\x21-\x7e]{1,200}", value) is not None
    return value if is_safe and not value.startswith("W/") else ""


def safe_filename(value: str) -> str:
    """Return the last path segment of a file name, a path or an absolute URL, '' if there is none."""
    if "://" in value:
        try:
            value = urlsplit(value).path
        except ValueError:
            return ""
    name = clean(re.split(r"[/\\]", unquote(value).strip())[-1]).strip()
    return "" if name in {".", ".."} or len(name) > MAX_TEXT else name
