"""The Celery app, its two queues and the whole beat schedule.

The queue of work is the database: a message here only wakes a worker, so losing one costs a few seconds. No task's
result is kept and none is delivered twice on purpose (acknowledged early): beat comes again anyway.
"""

import os
import socket
from datetime import timedelta
from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu import Queue

from dexportal.celery import (
    file_broker,  # noqa: F401 - registers the spool:// transport
    heartbeat,
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexportal.settings")

TALK = "talk"  # deliver, sync, settle, directory, tell: short
FETCH = "fetch"  # collect, sweep, read, purge: long

FETCH_TASKS = ("collect_due", "sweep_due")  # every other task of ours is talk

# A worker only listens: without these it would wait for ever for a broker that vanished without a word. Seconds.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Every periodic task. Each takes a lease in the database or may be doubled, so a second beat does no harm."""
    return dict(
        [
            every(settings.DELIVER_INTERVAL, "deliver_due"),
            every(settings.SETTLE_INTERVAL, "settle_due"),
            every(settings.SYNC_INTERVAL, "sync_due"),
            every(settings.DIRECTORY_INTERVAL, "directory_due"),
            every(settings.COLLECT_INTERVAL, "collect_due"),
            every(settings.SWEEP_INTERVAL, "sweep_due"),
            every(settings.TELL_INTERVAL, "tell_due"),
        ]
    )


def every(interval: timedelta, name: str) -> tuple[str, dict[str, Any]]:
    """A message lives much longer than the interval, for the clock by which a worker judges its age may be wrong."""
    options = {"expires": settings.MESSAGE_LIFE}
    return name, {"task": f"commands.tasks.{name}", "schedule": heartbeat.Steadily(interval), "options": options}


def broker_options(url: str, timeout: timedelta) -> dict[str, Any]:
    """Kombu's transport options; `timeout` is for connecting and for each answer."""
    if not url.startswith("spool:"):
        seconds = timeout.total_seconds()
        return {
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "retry_on_timeout": False,
            "max_retries": 0,
            # Nothing is delivered again on purpose. And with it, an acknowledgement that Redis did not take would hold
            # a place among those that a worker may have at hand for ever: a few, and the worker takes nothing more.
            "ack_emulation": False,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
        }
    messages = settings.BROKER_DIR / "messages"
    messages.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "polling_interval": 0.1,  # Kombu's own second is noticeable
    }


def configuration() -> dict[str, Any]:
    return {
        "broker_url": settings.BROKER_URL,
        "broker_transport_options": broker_options(settings.BROKER_URL, settings.BROKER_TIMEOUT),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker without its broker has nothing better to do than to wait
        "task_publish_retry": False,
        "task_queues": [Queue(name, routing_key=name) for name in (TALK, FETCH)],
        "task_default_queue": TALK,
        "task_routes": {f"commands.tasks.{name}": {"queue": FETCH} for name in FETCH_TASKS},
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "task_acks_late": False,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "beat_schedule": beat_schedule(),
        "beat_scheduler": "dexportal.celery.heartbeat:TouchingScheduler",
        "beat_max_loop_interval": settings.SYNC_INTERVAL.total_seconds(),
        "timezone": "UTC",
    }


@setup_logging.connect
def _log_as_django_does(**_signal: Any) -> None:
    dictConfig(settings.LOGGING)


app = Celery("dexportal")
app.config_from_object(configuration())
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)
app.steps["worker"].add(heartbeat.WorkerStep)
