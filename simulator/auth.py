"""Who calls: tokens and keys, what they may do, and the labels under which the ledger names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.answers import Refusal, not_allowed
from simulator.config import DEX_WRITE, READERS, AccountConfig


@dataclass(frozen=True, slots=True)
class Credential:
    """One token, or one email with its key, with the permissions it has in each account."""

    label: str
    permissions: Mapping[str, frozenset[str]]

    def require(self, account_id: str, *, write: bool) -> None:
        accepted = {DEX_WRITE} if write else READERS
        if not accepted & self.permissions.get(account_id, frozenset()):
            raise not_allowed()


class Credentials:
    def __init__(self, accounts: tuple[AccountConfig, ...]) -> None:
        tokens = [(account.token, account) for account in accounts if account.token]
        keys = [((account.email.lower(), account.api_key), account) for account in accounts if account.api_key]
        self._by_token = _gather(tokens, "token")
        self._by_key = _gather(keys, "key")

    def identify(self, headers: Mapping[str, str]) -> Credential:
        """The caller, or a Refusal in Cloudflare's words."""
        authorization = headers.get("Authorization", "")
        if authorization:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Refusal(400, 6003, "Invalid request headers")
            return _known(self._by_token.get(token.strip()), Refusal(403, 9109, "Invalid access token"))
        email, key = headers.get("X-Auth-Email", ""), headers.get("X-Auth-Key", "")
        if not email or not key:
            raise Refusal(401, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        return _known(self._by_key.get((email.lower(), key)), Refusal(401, 10001, "Unable to authenticate request"))


def _known(credential: Credential | None, refusal: Refusal) -> Credential:
    if credential is None:
        raise refusal
    return credential


def _gather[K](pairs: list[tuple[K, AccountConfig]], word: str) -> dict[K, Credential]:
    """One credential for each secret, with all accounts that name it."""
    rights: dict[K, dict[str, frozenset[str]]] = {}
    for secret, account in pairs:
        rights.setdefault(secret, {})[account.account_id] = frozenset(account.permissions)
    return {
        secret: Credential(f"{word} {number}", permissions)
        for number, (secret, permissions) in enumerate(rights.items(), start=1)
    }
