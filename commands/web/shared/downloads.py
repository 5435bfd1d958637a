"""Downloads: files as attachments, recorded before the first byte, and limited in number for each process."""

import threading
from datetime import datetime

from django.conf import settings
from django.core.files.base import File
from django.http import FileResponse, HttpResponseBase
from django.shortcuts import render

from commands import audit
from commands.access import not_found
from commands.audit import by_person
from commands.models import Artifact, Command
from commands.rules.events import EventType
from commands.rules.states import HAS_FILE
from commands.storage import artifact_storage
from commands.web.shared.auth import SignedIn
from commands.web.shared.links import download_name

_slots = threading.BoundedSemaphore(settings.STREAMS)
_RETRY_AFTER = 15  # seconds


class _Stream:
    """Open file that frees its slot when the server closes it, also if the browser has gone."""

    def __init__(self, file: "File[bytes]") -> None:
        self._file = file
        self._is_slot_free = False

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(size))

    def close(self) -> None:
        self._file.close()
        if not self._is_slot_free:
            self._is_slot_free = True
            _slots.release()


def send(request: SignedIn, command: Command, artifact: Artifact | None, *, now: datetime) -> HttpResponseBase:
    """Return the file of the artifact, or a page that says why not now. Raises Http404 if there is no file."""
    if artifact is None or artifact.status not in HAS_FILE:
        raise not_found()
    if not _slots.acquire(blocking=False):
        return _busy(request)
    try:
        file = artifact_storage().open(artifact.storage_name)
    except FileNotFoundError:
        _slots.release()
        raise not_found() from None
    except BaseException:
        _slots.release()
        raise
    stream = _Stream(file)
    try:
        facts = {"artifact": str(artifact.id), "size": artifact.size, "sha256": artifact.sha256}
        audit.record(command, event=EventType.DOWNLOADED, by=by_person(request.user), now=now, data=facts)
    except BaseException:
        stream.close()
        raise
    return _response(stream, command, artifact)


def _response(stream: _Stream, command: Command, artifact: Artifact) -> FileResponse:
    name = download_name(command)
    response = FileResponse(stream, as_attachment=True, filename=name, content_type="application/zip")
    response["Content-Length"] = str(artifact.size)
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _busy(request: SignedIn) -> HttpResponseBase:
    response = render(request, "503.html", {"streams": settings.STREAMS, "seconds": _RETRY_AFTER}, status=503)
    response["Retry-After"] = str(_RETRY_AFTER)
    return response
