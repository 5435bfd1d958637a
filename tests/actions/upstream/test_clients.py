"""Clients for an account: which credential they use, and which cannot be used."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from commands.actions.administration.accounts import change_credential
from commands.actions.upstream import clients
from commands.actions.upstream.clients import NoCredential
from commands.models import Account, Credential
from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN
from tests.actions.world import World
from tests.people import make_account, make_credential

pytestmark = pytest.mark.django_db


def _quota(account: Account) -> int | None:
    with clients.client_for(account) as client:
        return client.quota().total


def test_account_calls_cloudflare_with_its_token(world: World) -> None:
    assert _quota(world.account) == 200


def test_account_calls_cloudflare_with_email_and_key(world: World) -> None:
    key = make_credential("Key", value=f"{DEFAULT_TOKEN}-key", email="simulator@example.com")
    assert _quota(make_account("Keyed", cloudflare_id=DEFAULT_ACCOUNT_ID, credential=key)) == 200


def test_missing_or_unusable_credential_raises_its_reason_code(world: World, settings: Any) -> None:
    account = world.account
    credential = account.credential
    assert credential is not None
    change_credential(credential, value="two\nlines")
    with pytest.raises(NoCredential, match="invalid_character"):
        _quota(account)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(NoCredential, match="cannot_decrypt"):
        _quota(account)
    Credential.objects.update(secret="")
    account.refresh_from_db()
    with pytest.raises(NoCredential, match="no_value"):
        _quota(account)
    account.credential = None
    with pytest.raises(NoCredential, match="no_credential"):
        _quota(account)


def test_every_call_counts_against_the_rate_limit(world: World) -> None:
    _quota(world.account)
    assert isinstance(world.account.credential, Credential)
    row = world.account.credential.budget
    row.refresh_from_db()
    assert row.calls_left is not None
    before = row.calls_left
    _quota(world.account)
    row.refresh_from_db()
    assert 0.5 < before - row.calls_left <= 1
