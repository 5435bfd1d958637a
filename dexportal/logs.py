"""Configuration of structlog: how log lines look, and that no secret gets into one.

Every rendered line passes `commands/redaction.py`. This module must not decide what is logged.
"""

import re
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from commands.redaction import HIDDEN, hide, scrub

_NAMES = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api_?key|auth-key|credential_keys|csrf", re.IGNORECASE
)


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
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": _quieter(),
    }


def _quieter() -> dict[str, dict[str, Any]]:
    """Quieten loggers that repeat the request and task lines of structlog, or write too often."""
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
