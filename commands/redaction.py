"""Removal of secrets from text that leaves the process: log lines, error messages, command-line output.

A value given to `hide` disappears from everything that passes `scrub`, as it is or encoded. `scrub` also removes what
has the shape of a secret. This module must not decide what is logged.
"""

import json
import re
import threading
from urllib.parse import quote

HIDDEN = "[hidden]"
_SHORTEST = 6  # characters: hiding a shorter value would damage innocent words, and it could still be guessed
_SHAPES = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 " + HIDDEN),
    (re.compile(r"(?i)(x-auth-key|authorization|api_key|password|token)([\\'\"]*\s*[:=][\s\\'\"]*)[^\s\\'\",;&}\[]{6,}"),
     r"\1\2" + HIDDEN),
    (re.compile(r"(\w://[^\s/:@]*):[^\s/@]+@"), r"\1:" + HIDDEN + "@"),
    (re.compile(r"(/password/reset/key/)[^/\s\"']+"), r"\1" + HIDDEN),
)  # fmt: skip

_secrets: frozenset[str] = frozenset()
_lock = threading.Lock()


def hide(*values: str) -> None:
    """Hide these values from now on, in every text of this process that passes `scrub`."""
    global _secrets  # noqa: PLW0603 - one set for the process, replaced as a whole
    forms = {form for value in values if len(value) >= _SHORTEST for form in _encoded_forms(value)}
    with _lock:
        _secrets |= forms


def scrub(text: str) -> str:
    """Return the text without hidden values and without anything that has the shape of a secret."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def _encoded_forms(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value, safe="")}
