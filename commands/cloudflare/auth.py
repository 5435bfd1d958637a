"""Who we are to Cloudflare. Holds the secrets; nothing else may show or keep them.

An own AuthBase, so that requests never looks into ~/.netrc, which would replace the header.
"""

import re
from dataclasses import dataclass, field
from typing import override

from requests import PreparedRequest
from requests.auth import AuthBase

_SCRUBBED = "[secret]"
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


def _checked(value: str, what: str) -> str:
    if not _HEADER_SAFE.fullmatch(value):
        raise ValueError(f"The {what} is empty or has a character that no header may carry.")
    return value


@dataclass(frozen=True, slots=True)
class TokenAuth(AuthBase):
    """An API token, sent as a bearer token."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _checked(self.token, "API token")

    @override
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def redact(self, text: str) -> str:
        """Without the secret: an answer may repeat what it was sent."""
        return text.replace(self.token, _SCRUBBED)


@dataclass(frozen=True, slots=True)
class KeyAuth(AuthBase):
    """A global API key with the email of its owner."""

    email: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        _checked(self.email, "email")
        _checked(self.key, "API key")

    @override
    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Email"] = self.email
        request.headers["X-Auth-Key"] = self.key
        return request

    def redact(self, text: str) -> str:
        """Without the secret: an answer may repeat what it was sent."""
        return text.replace(self.key, _SCRUBBED)


type Auth = TokenAuth | KeyAuth
