"""From an account's record to a client that speaks for it: credentials, limits of the settings, the rate budget.

Owns what every action does with a failed call too: which pause follows from which error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings

from commands import redaction
from commands.actions.upstream import rate_limit
from commands.cloudflare.auth import Auth, KeyAuth, TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.errors import CloudflareError, NotFound, NotSent, OutcomeUnknown, Refused, Throttled
from commands.cloudflare.types import Call, ClientLimits, Dialect
from commands.models import Account, Credential, Pause
from commands.models.encrypted_field import CannotDecrypt

NO_CREDENTIAL = "The account has no credential."
NO_VALUE = "The account's credential has no value: enter it."
NOT_OPENED = "No key of CREDENTIAL_KEYS opens the account's credential: enter it again."
NOT_CARRIED = "The account's credential has a character that no header can carry."
# A pause with one of these words is none of Cloudflare's.
OUR_OWN = frozenset({NO_CREDENTIAL, NO_VALUE, NOT_OPENED, NOT_CARRIED})


class NoCredential(Exception):
    """The account cannot be spoken for; the message tells an admin what to mend. Nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _auth(account: Account) -> Auth:
    credential = account.credential
    if credential is None:
        raise NoCredential(NO_CREDENTIAL)
    if not credential.secret:
        raise NoCredential(NO_VALUE)
    try:
        secret = credential.secret.reveal()
        redaction.hide(secret)
        return KeyAuth(credential.email, secret) if credential.scheme == Credential.Scheme.KEY else TokenAuth(secret)
    except CannotDecrypt:
        raise NoCredential(NOT_OPENED) from None
    except ValueError:
        raise NoCredential(NOT_CARRIED) from None


def limits() -> ClientLimits:
    """The settings in the client's terms: seconds and bytes."""
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
    """A client for this account, each of whose requests takes from the budget; raises NoCredential."""
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
    """The first success settles which dialect an account speaks; an admin's choice is never overwritten."""
    Account.objects.filter(id=account.id, dialect=Account.Dialect.AUTO).update(dialect=dialect)


def pause_after_error(
    account: Account, act: Pause.Act, error: CloudflareError | NoCredential, *, now: datetime
) -> datetime | None:
    """The pause that follows from a failure: the credential's, the act's, or none. Returns until when."""
    match error:
        case Throttled():
            assert account.credential_id is not None
            return rate_limit.throttled(account.credential_id, retry_after=error.retry_after, words=error.message)
        case NotFound() if act == Pause.Act.DOWNLOAD:
            return None  # it is about the file, not about the account
        case NoCredential() | Refused():
            return rate_limit.pause(account, act, words=error.message, refused=True, now=now)
        case NotSent() | OutcomeUnknown():
            return rate_limit.pause(account, act, words=error.message, refused=False, now=now)
        case _ if act in (Pause.Act.LIST, Pause.Act.DIRECTORY):
            return rate_limit.pause(account, act, words=error.message, refused=False, now=now)
        case _:
            return None  # it is about what was sent, or about the file
