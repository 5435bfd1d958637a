"""Health endpoints: is the process up, and can the portal serve pages?

Pages need the database alone, so only the database and its migrations decide whether the portal is ready. A broker,
worker or storage that is down is reported as degraded, and takes no web process out of service.
"""

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from commands import schema, storage, wakeup
from commands.queries import heartbeats


def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    try:
        if not schema.is_migrated():
            return _unready("migrations")
        down = heartbeats.liveness().down
    except DatabaseError:
        return _unready("database")
    if not wakeup.is_broker_reachable() and heartbeats.Role.BROKER not in down:  # as seen from this process
        down = [heartbeats.Role.BROKER, *down]
    degraded = [*map(str, down), *([] if storage.is_storage_usable() else ["storage"])]
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded})


def _unready(reason: str) -> JsonResponse:
    return JsonResponse({"status": "unready", "reason": reason}, status=503)
