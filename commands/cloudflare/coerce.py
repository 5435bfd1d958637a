"""Single values out of hostile or sloppy JSON and headers. Pure; none of these raises anything."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from commands.cloudflare.types import Json

MAX_TEXT = 255
MAX_ID = 100
# Cloudflare opened in 2010, and no command is of the next century. A time far outside is a broken clock or a
# placeholder (Go's zero time, 9999-12-31), and what is reckoned from it would overflow.
_YEARS = range(2010, 2100)
_LONGEST_PAUSE = 24 * 3600.0
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
# What no database or header takes: controls (NUL above all) and halves of surrogate pairs.
_UNFIT_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_lines(text: str) -> str:
    """As clean(), but a text of several lines keeps its tabs and ends of lines."""
    return _UNFIT_IN_LINES.sub("\N{REPLACEMENT CHARACTER}", text)


def text(value: Json) -> str:
    """Trimmed, at most MAX_TEXT characters; a number becomes its digits, anything else ''."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = repr(value)
    return clean(value.strip())[:MAX_TEXT] if isinstance(value, str) else ""


def identifier(value: Json) -> str:
    """Trimmed, lower-case; '' where it is longer than any id of ours, for a shortened id is a wrong one."""
    found = text(value).lower() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return found if len(found) <= MAX_ID else ""


def email(value: Json) -> str:
    return text(value).lower() if isinstance(value, str) else ""


def flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def count(value: Json) -> int | None:
    """A whole number of at least 0, also from a float or digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value < 10**15 else None


def instant(value: Json) -> datetime | None:
    """RFC 3339 or `2023-10-11 00:00:00+00`, as aware UTC; without a zone it is UTC. An absurd year is None."""
    if not isinstance(value, str) or not 19 <= len(value.strip()) <= 40:
        return None
    try:
        return _sane(datetime.fromisoformat(value.strip().upper()))
    except (ValueError, OverflowError):
        return None


def header_date(value: str) -> datetime | None:
    """An HTTP date as aware UTC; as instant() otherwise."""
    try:
        return _sane(parsedate_to_datetime(value))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _sane(found: datetime) -> datetime | None:
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if found.year in _YEARS else None


def response_date(headers: Mapping[str, str]) -> datetime | None:
    """Cloudflare's clock, from `Date`."""
    return header_date(headers.get("Date", ""))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds (decimals too), from either form of `Retry-After`; a date is read against the answer's own `Date`."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), _LONGEST_PAUSE)
    until = header_date(value)
    if until is None:
        return None
    since = response_date(headers) or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), _LONGEST_PAUSE)


def strong_etag(value: str) -> str:
    """The tag as it came, '' where it is weak or could not be sent back."""
    value = value.strip()
    fits = re.fullmatch(r"[\x21-\x7e]{1,200}", value) is not None
    return value if fits and not value.startswith("W/") else ""


def safe_filename(value: str) -> str:
    """The last path segment of whatever Cloudflare said (a name, a path, an absolute URL), '' for none."""
    if "://" in value:
        try:
            value = urlsplit(value).path
        except ValueError:
            return ""
    name = clean(re.split(r"[/\\]", unquote(value).strip())[-1]).strip()
    return "" if name in {".", ".."} or len(name) > MAX_TEXT else name
