"""Artifact storage: the folder or bucket of STORAGES["artifacts"], and the room that is left on a disk."""

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage, storages


def artifact_storage() -> Storage:
    return storages["artifacts"]


def is_storage_usable() -> bool:
    """Check that artifacts can be stored.

    A folder must be writable and have room for the largest artifact. A bucket must answer within STORAGE_PROBE.
    """
    storage = artifact_storage()
    if isinstance(storage, FileSystemStorage):
        folder = Path(storage.location)
        return is_writable(folder) and free_bytes(folder) >= settings.ARTIFACT_MAX_BYTES
    answered = threading.Event()

    def ask() -> None:
        with suppress(Exception):  # the errors of boto3 and botocore have no common base
            storage.exists("readyz")
            answered.set()

    # In a thread, because the time-outs and retries of boto3 add up to more than a probe may take.
    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(settings.STORAGE_PROBE.total_seconds())


def is_writable(folder: Path) -> bool:
    """Check that files can be written to the folder. A missing folder counts if it can be created."""
    folder = _nearest_existing(folder)
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds the folder, or would hold it."""
    return shutil.disk_usage(_nearest_existing(folder)).free


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
