"""Web client of a person at the helpdesk: signs in, posts forms, and posts a form again if no response comes.

Whatever fails (the connection, the web process, its database), the client sends the same form with the same key until
it gets a response. It must not know what the forms mean: see `workload.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import requests

from tests.html import Page

TIMEOUT = 5.0  # seconds for a response, before the form is sent again
RETRY_DELAY = 0.3
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
BAD_REQUEST = 400  # also the response of a terminating web process that received only a part of the form
MAX_BAD_REQUESTS = 20  # in a row; more of them are caused by the form

type Fields = Mapping[str, str | Sequence[str]]


class RunEnded(Exception):
    """Raised when the run ended before a response came. The outcome of the form is unknown."""


@dataclass
class DeskClient:
    """Signed-in session. `posts` counts the forms with a response, and `retries` the repeated attempts."""

    base: str
    name: str
    password: str = field(repr=False)
    stop: Event = field(default_factory=Event)
    posts: int = 0
    retries: int = 0
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False

    def post(self, path: str, fields: Fields) -> str:
        """Post a form, and return the address that the response redirects to.

        Raise AssertionError with the messages of the page if the portal rejects the form.
        """
        bad_requests = 0
        while not self.stop.is_set():
            response = self._try_post(path, fields)
            bad_requests = bad_requests + 1 if response is not None and response.status_code == BAD_REQUEST else 0
            if response is not None and response.status_code == requests.codes.see_other:
                self.posts += 1
                return response.headers["Location"]
            if response is not None and not self._is_signed_out(response):
                is_temporary = (
                    response.status_code >= SERVER_ERROR
                    or response.status_code == TOO_MANY_REQUESTS
                    or 0 < bad_requests < MAX_BAD_REQUESTS
                )
                assert is_temporary, _error_message(path, response)
            self.retries += 1
            self.stop.wait(RETRY_DELAY)
        raise RunEnded

    def sign_in(self) -> None:
        """Try to sign in once. If that fails, the next post tries again."""
        self._request("GET", "/accounts/login/")
        self._request("POST", "/accounts/login/", {"login": self.name, "password": self.password})

    def _try_post(self, path: str, fields: Fields) -> requests.Response | None:
        try:
            if all(_is_csrf(cookie.name) for cookie in self._session.cookies):
                self.sign_in()
            return self._request("POST", path, fields)
        except requests.RequestException:
            return None

    def _csrf_token(self) -> str:
        return next((value for name, value in self._session.cookies.items() if value and _is_csrf(name)), "")

    def _is_signed_out(self, response: requests.Response) -> bool:
        is_signed_out = (
            response.status_code == requests.codes.found and "/accounts/login/" in response.headers["Location"]
        )
        if is_signed_out:
            self._session.cookies.clear()
        return is_signed_out

    def _request(self, method: str, path: str, fields: Fields | None = None) -> requests.Response:
        return self._session.request(
            method,
            self.base + path,
            data=fields,
            headers={"X-CSRFToken": self._csrf_token()},
            timeout=TIMEOUT,
            allow_redirects=False,
        )


def _is_csrf(cookie_name: str) -> bool:
    """Tell the cookie of the form from that of the session. Both names contain the port of the portal."""
    return cookie_name.endswith("-csrf")


def _error_message(path: str, response: requests.Response) -> str:
    messages = Page.parse(response.text).texts(".error, .errors") or [response.text[:300]]
    return f"POST {path}: {response.status_code} {messages}"
