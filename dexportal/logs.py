"""Configuration of structlog: how log lines look, and that no secret gets into one.

Every rendered line passes `commands/redaction.py`. This module must not decide what is logged.
"""

import logging
import re
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from commands.redaction import HIDDEN, hide, scrub

_NAMES = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api_?key|auth-key|credential_keys|csrf", re.IGNORECASE
)


REPEAT_AFTER = timedelta(minutes=10)


class RarelyFilter(logging.Filter):
    """Filter that passes messages of the same text, whatever their values, only every 10 minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, text = time.monotonic(), str(record.msg)
        if now - self._passed_at.get(text, float("-inf")) < REPEAT_AFTER.total_seconds():
            return False
        self._passed_at[text] = now
        return True


def configure(*, as_json: bool, level: str, secrets: Iterable[str]) -> dict[str, Any]:
    """Configure structlog and return Django's LOGGING."""
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
        "filters": {"rarely": {"()": RarelyFilter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": _quieter(),
    }


def _quieter() -> dict[str, dict[str, Any]]:
    """Quieten loggers that repeat the request and task lines of structlog, or write too often."""
    chatty = ("celery.worker.strategy", "celery.beat", "kombu", "urllib3", "botocore")
    return {
        "waitress.queue": {"level": "ERROR"},  # warns of each request that waits for a thread
        "django": {"handlers": [], "propagate": True},
        "django.request": {"level": "CRITICAL"},
        "celery.app.trace": {"level": "CRITICAL"},
        **{name: {"level": "WARNING"} for name in chatty},
        "celery.worker.consumer.consumer": {"filters": ["rarely"]},  # writes a line for each retry of a connection
    }


def _renderers(as_json: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    # The default traceback shows local variables, which may be secret.
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


def _hide_named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if isinstance(key, str) and _NAMES.search(key):
            event[key] = HIDDEN
    return event


def _scrub_line(_logger: WrappedLogger, _method: str, line: Any) -> Any:
    """Scrub the rendered line. Nothing may be added to the line after this step."""
    return scrub(line)
