"""Times and sizes as the pages show them. `times.js` turns the times into the viewer's own zone, or into an age."""

import re
from datetime import UTC, datetime

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

_MARKS = re.compile(r"(?<=[@._/-])")


@register.simple_tag
def when(at: datetime | None, form: str = "ago") -> SafeString | str:
    """Show a time. JavaScript replaces the text, which is in UTC.

    With the form `ago` it shows the age and keeps it up to date. With `time` it shows the time for a day of this week,
    else the date.
    """
    if at is None:
        return ""
    utc = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" data-when="{}">{}</time>', utc.isoformat(), form, f"{utc:%d %b %H:%M} UTC".lstrip("0")
    )


@register.filter
def breakable(words: str) -> SafeString:
    """Let an email address or a name break after its punctuation, and never within a word."""
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _MARKS.split(words)))


@register.filter
def filesize(size: int | None) -> str:
    """Show a number of bytes in decimal units, as Cloudflare counts its megabytes."""
    if size is None:
        return ""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"


@register.filter
def clock(seconds: int) -> str:
    """Show seconds as minutes and seconds, such as 2:10."""
    return f"{seconds // 60}:{seconds % 60:02}"
