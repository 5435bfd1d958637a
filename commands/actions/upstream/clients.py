"""Clients of the Cloudflare API for an account, with its credential, the limits of the settings and the rate limit.

The only place that decrypts a credential in order to use it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from commands import redaction
from commands.actions.upstream import rate_limit
from commands.cloudflare.auth import Auth, KeyAuth, TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.types import Call, ClientLimits, Dialect
from commands.models import Account, Credential
from commands.models.encrypted_field import CannotDecrypt
from commands.rules.pauses import PauseReason


class NoCredential(Exception):
    """Account without a usable credential. Nothing was sent."""

    def __init__(self, reason_code: PauseReason) -> None:
        super().__init__(reason_code)
        self.reason_code = reason_code


def _auth(account: Account) -> Auth:
    credential = account.credential
    if credential is None:
        raise NoCredential(PauseReason.NO_CREDENTIAL)
    if not credential.secret:
        raise NoCredential(PauseReason.NO_VALUE)
    try:
        secret = credential.secret.reveal()
        redaction.hide(secret)
        return KeyAuth(credential.email, secret) if credential.scheme == Credential.Scheme.KEY else TokenAuth(secret)
    except CannotDecrypt:
        raise NoCredential(PauseReason.CANNOT_DECRYPT) from None
    except ValueError:
        raise NoCredential(PauseReason.INVALID_CHARACTER) from None


def limits() -> ClientLimits:
    """Return the settings in the client's units: seconds and bytes."""
    return ClientLimits(
        connect_timeout=settings.CONNECT_TIMEOUT.total_seconds(),
        read_timeout=settings.READ_TIMEOUT.total_seconds(),
        deadline=settings.GET_DEADLINE.total_seconds(),
        create_deadline=settings.POST_DEADLINE.total_seconds(),
        download_deadline=settings.DOWNLOAD_DEADLINE.total_seconds(),
        tries=settings.GET_ATTEMPTS,
        backoff=settings.GET_RETRY_BASE.total_seconds(),
        max_response_bytes=settings.ANSWER_MAX_BYTES,
        max_artifact_bytes=settings.ARTIFACT_MAX_BYTES,
        max_pages=settings.MAX_PAGES,
    )


@contextmanager
def client_for(account: Account) -> Iterator[Client]:
    """Open a client for this account. Each of its requests counts against the rate limit.

    Raises:
        NoCredential: the account has no credential that can be used.
    """
    auth = _auth(account)
    credential_id = account.credential_id
    assert credential_id is not None

    def permit(call: Call) -> None:
        rate_limit.spend(credential_id, call)

    with Client(
        settings.UPSTREAM.url,
        account.cloudflare_id,
        auth,
        dialect=Dialect(account.dialect),
        limits=limits(),
        permit=permit,
        user_agent=f"dexportal/{settings.VERSION}",
    ) as client:
        yield client


def remember_dialect(account: Account, dialect: Dialect) -> None:
    """Store the dialect of the first success. An administrator's choice is never overwritten."""
    Account.objects.filter(id=account.id, dialect=Account.Dialect.AUTO).update(dialect=dialect)
