"""Reading of ids and keys in forms, and the redirect after a POST."""

from uuid import UUID, uuid4

from django.core.exceptions import BadRequest
from django.http import HttpResponse

from commands.rules.ids import parse_uuid
from commands.web.shared.auth import SignedIn


def form_key(request: SignedIn) -> UUID:
    """Return the one-time key of the form. A second submit with the same key creates nothing new."""
    return posted_uuid(request.POST["key"]) if "key" in request.POST else uuid4()


def posted_uuid(text: str) -> UUID:
    """Return the id that a form contains. Raises BadRequest for any other text."""
    id_ = parse_uuid(text)
    if id_ is None:
        raise BadRequest("This form couldn't be read. Reload and try again.")
    return id_


def see_other(address: str) -> HttpResponse:
    """Redirect so that the browser fetches the address with GET (303)."""
    return HttpResponse(status=303, headers={"Location": address})
