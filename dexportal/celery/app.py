"""Celery app, its two queues and the whole beat schedule.

The database holds the work, and a message only wakes a worker. So a lost message costs a few seconds, until beat sends
the next one. For the same reason messages are acknowledged early and never redelivered. No results are stored.
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
from kombu import Connection, Queue

from dexportal.celery import (
    file_broker,  # noqa: F401 - registers the spool:// transport
    heartbeat,
    queue_limit,
    redis_broker,  # noqa: F401 - replaces the transport of redis://
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexportal.settings")

TALK = "talk"  # short calls: deliver, sync, settle, directory, alerts
FETCH = "fetch"  # long work on files: collect, sweep

FETCH_TASKS = ("collect_due", "sweep_due")  # all other tasks go to the talk queue

# A worker only listens. Without keepalive it would wait forever for a broker that vanished. Values in seconds.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Return the periodic tasks. Two beats do no harm: each task takes a lease, or has the same effect if run twice."""
    return dict(
        [
            every(settings.DELIVER_INTERVAL, "deliver_due"),
            every(settings.SETTLE_INTERVAL, "settle_due"),
            every(settings.SYNC_INTERVAL, "sync_due"),
            every(settings.DIRECTORY_INTERVAL, "directory_due"),
            every(settings.COLLECT_INTERVAL, "collect_due"),
            every(settings.SWEEP_INTERVAL, "sweep_due"),
            every(settings.ALERT_INTERVAL, "alerts_due"),
        ]
    )


def every(interval: timedelta, name: str) -> tuple[str, dict[str, Any]]:
    """Return one entry of the schedule.

    A message expires long after the interval, because the clock of the worker that judges its age may be wrong.
    """
    options = {"expires": settings.MESSAGE_LIFE}
    return name, {
        "task": f"commands.tasks.{name}",
        "schedule": heartbeat.MonotonicSchedule(interval),
        "options": options,
    }


def broker_options(url: str, timeout: timedelta) -> dict[str, Any]:
    """Return Kombu's transport options for a broker URL. `timeout` bounds connecting and each answer."""
    if not url.startswith("spool:"):
        seconds = timeout.total_seconds()
        return {
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "retry_on_timeout": False,
            "max_retries": 0,
            # Messages are never redelivered. With emulated acknowledgements, one that Redis did not take would occupy
            # a prefetch slot forever, and after a few of those the worker would take no more messages.
            "ack_emulation": False,
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
        }
    messages = settings.BROKER_DIR / "messages"
    messages.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "polling_interval": 0.1,  # Kombu's default of one second makes pages feel slow
    }


def configuration() -> dict[str, Any]:
    return {
        "broker_url": settings.BROKER_URL,
        "broker_transport_options": broker_options(settings.BROKER_URL, settings.BROKER_TIMEOUT),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker without its broker waits for it forever
        "task_publish_retry": False,
        "task_queues": [Queue(name, routing_key=name) for name in (TALK, FETCH)],
        "task_default_queue": TALK,
        "task_routes": {f"commands.tasks.{name}": {"queue": FETCH} for name in FETCH_TASKS},
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "task_acks_late": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a task needs no broker to finish
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "beat_schedule": beat_schedule(),
        "beat_scheduler": "dexportal.celery.heartbeat:HeartbeatScheduler",
        "beat_max_loop_interval": settings.SYNC_INTERVAL.total_seconds(),
        "timezone": "UTC",
    }


class PortalCelery(Celery):
    """Celery app with what `commands/wakeup.py` needs: a short-timeout connection, and sending with a queue limit."""

    def load_sending(self) -> None:
        """Import what sending a message needs, without connecting to a broker."""
        with self.wakeup_connection() as broker:
            _ = broker.transport, self.amqp, self.backend, self.events.Dispatcher

    def wakeup_connection(self) -> Connection:
        options = broker_options(settings.BROKER_URL, settings.WAKE_TIMEOUT)
        return self.connection_for_write(settings.BROKER_URL, transport_options=options)

    def send_if_room(self, task: str, args: tuple[object, ...], connection: Connection) -> None:
        if queue_limit.has_room(self, connection, task):
            self.send_task(task, args=args, connection=connection, expires=settings.MESSAGE_LIFE)


@setup_logging.connect
def _log_as_django_does(**_signal: Any) -> None:
    dictConfig(settings.LOGGING)


app = PortalCelery("dexportal")
app.config_from_object(configuration())
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)
app.steps["worker"].add(heartbeat.WorkerStep)
