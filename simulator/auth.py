"""Authentication by token or key, and the permissions of each credential.

A credential has a label for the ledger, so that no secret leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.config import DEX_WRITE, READ_PERMISSIONS, AccountConfig
from simulator.responses import ApiError, authentication_error

_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]+")


@dataclass(frozen=True, slots=True)
class Credential:
    """One token, or one email and key, with its permissions by account."""

    label: str
    permissions: Mapping[str, frozenset[str]]

    def require(self, account_id: str, *, write: bool) -> None:
        accepted = {DEX_WRITE} if write else READ_PERMISSIONS
        if not accepted & self.permissions.get(account_id, frozenset()):
            raise authentication_error()


class Credentials:
    """All credentials of a configuration. One secret may open several accounts."""

    def __init__(self, accounts: tuple[AccountConfig, ...]) -> None:
        tokens = [(account.token, account) for account in accounts if account.token]
        keys = [((account.email.lower(), account.api_key), account) for account in accounts if account.api_key]
        self._by_token = _by_secret(tokens, "token")
        self._by_key = _by_secret(keys, "key")

    def identify(self, headers: Mapping[str, str]) -> Credential:
        """Return the credential of a request, or raise ApiError with Cloudflare's code."""
        authorization = headers.get("Authorization", "")
        if authorization:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not _SECRET.fullmatch(token.strip()):
                raise _malformed(6111, "Invalid format for Authorization header")
            return _require_known(self._by_token.get(token.strip()), ApiError(403, 9109, "Invalid access token"))
        email, key = headers.get("X-Auth-Email", ""), headers.get("X-Auth-Key", "")
        if key and not _SECRET.fullmatch(key):
            raise _malformed(6103, "Invalid format for X-Auth-Key header")
        if email and "@" not in email:
            raise _malformed(6102, "Invalid format for X-Auth-Email header")
        if not email or not key:
            raise ApiError(401, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        return _require_known(
            self._by_key.get((email.lower(), key)), ApiError(401, 10001, "Unable to authenticate request")
        )


def _malformed(code: int, message: str) -> ApiError:
    """Build the error for a credential of the wrong form, whose exact cause is in `error_chain`."""
    return ApiError(400, 6003, "Invalid request headers", chain=[ApiError(400, code, message)])


def _require_known(credential: Credential | None, error: ApiError) -> Credential:
    if credential is None:
        raise error
    return credential


def _by_secret[K](pairs: list[tuple[K, AccountConfig]], label: str) -> dict[K, Credential]:
    """Build one credential for each secret, with the permissions of all accounts that list it."""
    permissions: dict[K, dict[str, frozenset[str]]] = {}
    for secret, account in pairs:
        permissions.setdefault(secret, {})[account.account_id] = frozenset(account.permissions)
    return {
        secret: Credential(f"{label} {number}", by_account)
        for number, (secret, by_account) in enumerate(permissions.items(), start=1)
    }
