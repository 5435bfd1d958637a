"""Accounts and credentials: added, changed and retired, together with the rows that belong to each.

Must not call Cloudflare. It decrypts a credential only to compare it with the one in the environment.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F

from commands.actions.upstream import pauses
from commands.models import (
    Account,
    AccountDirectory,
    AccountSync,
    AccountVersion,
    Artifact,
    CallBudget,
    Command,
    Credential,
    Notification,
    Pause,
)
from commands.models.encrypted_field import CannotDecrypt, EncryptedText
from commands.rules.ids import new_id
from commands.rules.pauses import Operation
from commands.rules.states import ArtifactStatus, Status
from commands.wakeup import wake

SIMULATOR = "Simulator"
ENVIRONMENT = "Cloudflare (from the environment)"


@transaction.atomic
def add_account(account: Account, *, now: datetime) -> Account:
    """Save a new account of the present upstream, with the rows that workers and lists need."""
    account.id = new_id(now)
    account.upstream = settings.UPSTREAM.name
    account.save(force_insert=True)
    AccountSync.objects.create(account=account)
    AccountDirectory.objects.create(account=account)
    AccountVersion.objects.create(account=account)
    return account


@transaction.atomic
def change_account(account: Account) -> None:
    """Save name, credential and dialect, and retry at once what Cloudflare refused."""
    account.save(update_fields=["name", "credential", "dialect"])
    _try_again([account.id])
    AccountVersion.objects.raise_for({account.id})


@transaction.atomic
def retire_account(account: Account, *, now: datetime) -> bool:
    """Retire an account: nothing more is sent or downloaded for it, and its history stays. False if it was retired."""
    retired = Account.objects.filter(id=account.id, retired_at=None).update(retired_at=now)
    AccountVersion.objects.raise_for({account.id})
    return bool(retired)


@transaction.atomic
def return_account(account: Account) -> bool:
    """Activate a retired account. False if it was active."""
    returned = Account.objects.filter(id=account.id, retired_at__isnull=False).update(retired_at=None)
    AccountVersion.objects.raise_for({account.id})
    return bool(returned)


@transaction.atomic
def add_credential(credential: Credential, *, value: str) -> Credential:
    credential.secret = EncryptedText.of(value)
    credential.save(force_insert=True)
    CallBudget.objects.create(credential=credential)
    return credential


@transaction.atomic
def change_credential(credential: Credential, *, value: str = "") -> None:
    """Save a credential, without a value with its old one, and retry at once what Cloudflare refused."""
    fields = ["name", "scheme", "email", "changed_at"]
    if value:
        credential.secret = EncryptedText.of(value)
        fields.append("secret")
    credential.save(update_fields=fields)
    _try_again(list(Account.objects.filter(credential=credential).values_list("id", flat=True)))


def _try_again(account_ids: Sequence[UUID]) -> None:
    """End the refusals of these accounts, which the change may have fixed, and retry all that waits for them."""
    refused = pauses.delete_pauses(Pause.objects.filter(account__in=account_ids, refused=True))
    again = {one: [pause.account_id for pause in refused if pause.operation == one] for one in Operation}
    # A pause that a probe has ended is kept for its notifications only. They were about the old credential.
    over = Pause.objects.filter(account__in=account_ids, until__lte=F("since"))
    pauses.delete_pauses(over.filter(Exists(Notification.objects.about_pause())))
    Command.objects.filter(account__in=again[Operation.CREATE], status=Status.QUEUED).update(not_before=None)
    AccountSync.objects.filter(account__in=again[Operation.LIST]).update(due_at=None)
    AccountDirectory.objects.filter(account__in=again[Operation.DIRECTORY]).update(due_at=None)
    files = Artifact.objects.filter(status=ArtifactStatus.WANTED)
    files.filter(command__account__in=again[Operation.DOWNLOAD]).update(not_before=None)
    if any(again.values()):
        for task in ("deliver_due", "sync_due", "directory_due", "collect_due"):
            wake(f"commands.tasks.{task}")


@transaction.atomic
def ensure_upstream_account(*, now: datetime) -> Account:
    """Return the account that the environment names, or the simulator's. Create it if it is missing.

    The credential follows the environment. Everything else of an existing account stays as administrators set it.
    """
    upstream = settings.UPSTREAM
    credential = _environment_credential()
    account = Account.objects.filter(upstream=upstream.name, cloudflare_id=upstream.account_id).first()
    if account is not None:
        return account
    name = SIMULATOR if upstream.is_simulator else f"Cloudflare {upstream.account_id[:8]}"
    return add_account(Account(cloudflare_id=upstream.account_id, name=name, credential=credential), now=now)


def _environment_credential() -> Credential:
    upstream = settings.UPSTREAM
    name = SIMULATOR if upstream.is_simulator else ENVIRONMENT
    value = upstream.token or upstream.api_key
    scheme = Credential.Scheme.TOKEN if upstream.token else Credential.Scheme.KEY
    email = "" if upstream.token else upstream.email
    credential = Credential.objects.filter(name=name).first()
    if credential is None:
        return add_credential(Credential(name=name, scheme=scheme, email=email), value=value)
    if (credential.scheme, credential.email) != (scheme, email) or not _holds(credential, value):
        credential.scheme, credential.email = scheme, email
        change_credential(credential, value=value)
    return credential


def _holds(credential: Credential, value: str) -> bool:
    try:
        return credential.secret.reveal() == value
    except CannotDecrypt:
        return False
