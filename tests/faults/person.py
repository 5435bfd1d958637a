"""Somebody at the helpdesk before the portal's pages, by real HTTP: signs in, posts a form, and posts it again.

Whatever breaks (the connection, the web process, the database behind it), the same form with the same one-time key is
sent again until there is an answer. Owns the browser's part alone: what is asked is `asking.py`'s, what it means too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import requests

WITHIN = 5.0  # seconds for an answer; then the person tries again
AGAIN_AFTER = 0.3
COOKIE = "dexportal-csrf"
BUSY = 429
BROKEN = 500
HALF = 400  # said by a web process that is being ended, of a form that it has got a part of
HALVES = 20  # in a row: then it is the form

type Fields = Mapping[str, str | Sequence[str]]


class GaveUp(Exception):
    """The run was over before there was an answer: nobody knows what became of it."""


@dataclass
class Person:
    """`posts` and `again`: how many forms were answered, and how often one was sent once more because none came."""

    base: str
    name: str
    password: str = field(repr=False)
    stop: Event = field(default_factory=Event)
    posts: int = 0
    again: int = 0
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False

    def post(self, path: str, fields: Fields) -> str:
        """Where the answer leads to. AssertionError: the portal understood and said no, in words."""
        halves = 0
        while not self.stop.is_set():
            answer = self._try(path, fields)
            halves = halves + 1 if answer is not None and answer.status_code == HALF else 0
            if answer is not None and answer.status_code == requests.codes.see_other:
                self.posts += 1
                return answer.headers["Location"]
            if answer is not None and not self._is_signed_out(answer):
                fleeting = answer.status_code >= BROKEN or answer.status_code == BUSY or 0 < halves < HALVES
                assert fleeting, _words(path, answer)
            self.again += 1
            self.stop.wait(AGAIN_AFTER)
        raise GaveUp

    def sign_in(self) -> None:
        """Once; where it does not work, the next post finds that nobody is signed in."""
        self._ask("GET", "/accounts/login/")
        self._ask("POST", "/accounts/login/", {"login": self.name, "password": self.password})

    def _try(self, path: str, fields: Fields) -> requests.Response | None:
        try:
            if "dexportal" not in self._session.cookies:
                self.sign_in()
            return self._ask("POST", path, fields)
        except requests.RequestException:
            return None

    def _is_signed_out(self, answer: requests.Response) -> bool:
        out = answer.status_code == requests.codes.found and "/accounts/login/" in answer.headers["Location"]
        if out:
            self._session.cookies.clear()
        return out

    def _ask(self, method: str, path: str, fields: Fields | None = None) -> requests.Response:
        return self._session.request(
            method,
            self.base + path,
            data=fields,
            headers={"X-CSRFToken": self._session.cookies.get(COOKIE, "")},
            timeout=WITHIN,
            allow_redirects=False,
        )


def _words(path: str, answer: requests.Response) -> str:
    said = re.findall(r'class="error[^"]*">([^<]*)<', answer.text) or [answer.text[:300]]
    return f"POST {path}: {answer.status_code} {said}"
