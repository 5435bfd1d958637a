"""Error pages that need nothing of the request but its address.

Django's own handlers check the CSRF token, so they read the form. They fail if the form is what can't be read.
"""

import sys

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Handle a request that can't be read (Django's handler400)."""
    return render(request, "400.html", status=400)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Handle Http404 (Django's handler404)."""
    return render(request, "404.html", status=404)


def server_error(_request: HttpRequest) -> HttpResponse:
    """Handle an unexpected exception (Django's handler500). The page shows no user, whom only the database knows."""
    if isinstance(sys.exception(), (OperationalError, InterfaceError, InternalError)):
        return HttpResponse(render_to_string("503_database.html"), status=503, headers={"Retry-After": "10"})
    return HttpResponse(render_to_string("500.html"), status=500)
