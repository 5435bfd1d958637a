"""Credentials of a client, as an API token or as a global API key with an email address.

They hold the secrets. No other module of this package may log, show or store a secret. Both are an `AuthBase`, because
requests looks up `~/.netrc` when a request has no `auth`, and would replace the Authorization header by what it finds.
"""

import re
from dataclasses import dataclass, field
from typing import override

from requests import PreparedRequest
from requests.auth import AuthBase

_REDACTED = "[secret]"
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


def _require_header_safe(value: str, name: str) -> None:
    if not _HEADER_SAFE.fullmatch(value):
        raise ValueError(f"The {name} is empty or has a character that an HTTP header can't carry.")


@dataclass(frozen=True, slots=True)
class TokenAuth(AuthBase):
    """API token, sent as a bearer token. Raises ValueError if an HTTP header can't carry it."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _require_header_safe(self.token, "API token")

    @override
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def redact(self, text: str) -> str:
        """Replace the secret in a text from Cloudflare, because a response may echo the request."""
        return text.replace(self.token, _REDACTED)


@dataclass(frozen=True, slots=True)
class KeyAuth(AuthBase):
    """Global API key with the email of its owner. Raises ValueError if an HTTP header can't carry one of them."""

    email: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        _require_header_safe(self.email, "email")
        _require_header_safe(self.key, "API key")

    @override
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Email"] = self.email
        request.headers["X-Auth-Key"] = self.key
        return request

    def redact(self, text: str) -> str:
        """Replace the secret in a text from Cloudflare, because a response may echo the request."""
        return text.replace(self.key, _REDACTED)


type Auth = TokenAuth | KeyAuth
