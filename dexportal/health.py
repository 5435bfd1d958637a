"""Is the process up, and can the portal serve?

What people see needs the database alone, so only the database and its migrations decide whether the portal is ready;
a dead broker, worker or storage is told as degraded and takes no web process out of service.
"""

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from commands.actions.administration import heartbeats
from dexportal import wake

_migrated = False  # once true it stays so: new migrations come with a new process


def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    try:
        if not is_migrated():
            return _unready("migrations")
        away = heartbeats.signs().away
    except DatabaseError:
        return _unready("database")
    if not wake.reachable() and heartbeats.Role.BROKER not in away:  # from here, whatever beat says
        away = [heartbeats.Role.BROKER, *away]
    degraded = [*map(str, away), *([] if storage_writable() else ["storage"])]
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded})


def storage_writable() -> bool:
    """Can artifacts be kept? Of a folder: may we write there, and is there room. Of S3: does it answer in time."""
    storage = storages["artifacts"]
    if isinstance(storage, FileSystemStorage):
        folder = Path(storage.location)
        return is_writable(folder) and free_bytes(folder) >= settings.ARTIFACT_MAX_BYTES
    answered = threading.Event()

    def ask() -> None:
        with suppress(Exception):  # boto3 and botocore have no common base of their errors
            storage.exists("readyz")
            answered.set()

    # In a thread, because boto3's time-outs and retries add up to more than a probe may take.
    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(settings.STORAGE_PROBE.total_seconds())


def is_writable(folder: Path) -> bool:
    """A folder that is not there yet counts when it can be made."""
    folder = _nearest(folder)
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def free_bytes(folder: Path) -> int:
    """On the disk where this folder is, or would be made."""
    return shutil.disk_usage(_nearest(folder)).free


def _nearest(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def is_migrated() -> bool:
    global _migrated  # noqa: PLW0603 - a fact about this process
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _unready(why: str) -> JsonResponse:
    return JsonResponse({"status": "unready", "because": why}, status=503)
