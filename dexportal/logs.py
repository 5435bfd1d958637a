"""How log lines look, and what never gets into one.

Owns structlog's configuration and the list of values that are hidden wherever they turn up: in a message, in a field,
in a traceback. Must not decide who logs what.
"""

import json
import re
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
_SHORTEST = 6  # hiding a shorter value would blot out innocent words and still be guessed
_NAMES = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api_?key|auth-key|credential_keys|csrf", re.IGNORECASE
)
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
    """From now on these values appear in no log line of this process, as they are or encoded."""
    global _secrets  # noqa: PLW0603 - one list for the process, replaced as a whole
    found = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
    with _lock:
        _secrets |= found


def scrub(text: str) -> str:
    """The text without anything that is secret or looks like it."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def configure(*, as_json: bool, level: str, secrets: Iterable[str]) -> dict[str, Any]:
    """Set structlog up; returns Django's LOGGING."""
    hide(*secrets)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _hide_named,
                    *_renderers(as_json),
                    _scrub_line,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": _quieter(),
    }


def _quieter() -> dict[str, dict[str, Any]]:
    """Loggers that say twice what structlog's request and task lines say, or say it too often."""
    chatty = ("celery.worker.strategy", "celery.beat", "kombu", "urllib3", "botocore")
    return {
        "django": {"handlers": [], "propagate": True},
        "django.request": {"level": "CRITICAL"},
        "celery.app.trace": {"level": "CRITICAL"},
        **{name: {"level": "WARNING"} for name in chatty},
    }


def _renderers(as_json: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    # The plain traceback: the default one shows local variables.
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


def _hide_named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if isinstance(key, str) and _NAMES.search(key):
            event[key] = HIDDEN
    return event


def _scrub_line(_logger: WrappedLogger, _method: str, line: Any) -> Any:
    """Runs after the renderer, on the whole line: nothing is added behind it."""
    return scrub(line)


def _forms(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value, safe="")}
