"""Accounts and the credentials behind them: adding, changing and retiring them, with the rows that go with each.

Owns which account the environment's own credentials belong to. Must not talk to Cloudflare, nor open a credential for
anything but to see whether it is still the environment's.
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
    """Saves a new account, of the upstream in force, with the rows that workers and lists keep about it."""
    account.id = new_id(now)
    account.upstream = settings.UPSTREAM.name
    account.save(force_insert=True)
    AccountSync.objects.create(account=account)
    AccountDirectory.objects.create(account=account)
    AccountVersion.objects.create(account=account)
    return account


@transaction.atomic
def change_account(account: Account) -> None:
    """Its name, credential and dialect; what Cloudflare refused is tried again at once."""
    account.save(update_fields=["name", "credential", "dialect"])
    _try_again([account.id])
    AccountVersion.objects.raise_for({account.id})


@transaction.atomic
def retire_account(account: Account, *, now: datetime) -> bool:
    """From now on nothing is sent or fetched for it; what is recorded stays. False: it was retired already."""
    retired = Account.objects.filter(id=account.id, retired_at=None).update(retired_at=now)
    AccountVersion.objects.raise_for({account.id})
    return bool(retired)


@transaction.atomic
def return_account(account: Account) -> bool:
    """Takes a retired account back into use. False: it was in use already."""
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
    """Without a value the old one stays. Accounts that Cloudflare refused are tried again: this may have mended it."""
    fields = ["name", "scheme", "email", "changed_at"]
    if value:
        credential.secret = EncryptedText.of(value)
        fields.append("secret")
    credential.save(update_fields=fields)
    _try_again(list(Account.objects.filter(credential=credential).values_list("id", flat=True)))


def _try_again(account_ids: Sequence[UUID]) -> None:
    """What Cloudflare refused may be mended: all that waits for the end of a refusal's pause is tried at once."""
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
    """The account that the environment names (or the simulator's), with the credential from there; made if missing.

    That credential follows the environment. Everything else of an account that exists is left as admins set it.
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
