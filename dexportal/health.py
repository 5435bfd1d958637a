"""Is the process up, and is the portal ready?"""

from django.http import HttpRequest, JsonResponse


def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok", "degraded": []})
