"""Encrypted values of credentials: stored, decrypted on demand only, and in no dump or repr."""

import json
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from commands.models import Credential
from commands.models.encrypted_field import CannotDecrypt, EncryptedText
from tests.people import make_account, make_credential

SECRET = "cf-token-that-nobody-may-see"


@pytest.fixture
def credential(db: None) -> Credential:
    return make_credential("Acme", value=SECRET)


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM commands_credential")
        (value,) = cursor.fetchone()
    return str(value)


def test_database_holds_no_plain_text(credential: Credential) -> None:
    assert stored()
    assert SECRET not in stored()


def test_only_reveal_returns_the_plain_text(credential: Credential) -> None:
    fetched = Credential.objects.get()
    assert fetched.secret.reveal() == SECRET
    for shown in (str(fetched.secret), repr(fetched.secret), f"{fetched.secret}", repr(vars(fetched)), repr(fetched)):
        assert SECRET not in shown
        assert stored() not in shown


@pytest.mark.parametrize("form", ["json", "jsonl", "xml"])
def test_dump_contains_no_secret_even_encrypted(credential: Credential, form: str) -> None:
    make_account(credential=credential)
    dump = StringIO()
    call_command("dumpdata", format=form, stdout=dump)
    assert "Acme" in dump.getvalue()
    assert SECRET not in dump.getvalue()
    assert stored() not in dump.getvalue()


def test_loaded_dump_leaves_the_credential_empty(credential: Credential) -> None:
    dump = StringIO()
    call_command("dumpdata", "commands.credential", stdout=dump)
    (row,) = json.loads(dump.getvalue())
    assert row["fields"]["secret"] == ""


def test_values_and_values_list_return_no_plain_text(credential: Credential) -> None:
    assert SECRET not in repr(list(Credential.objects.values()))
    assert SECRET not in repr(list(Credential.objects.values_list("secret", flat=True)))


def test_old_key_still_decrypts_and_the_first_key_encrypts(settings: Settings) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.CREDENTIAL_KEYS = [old]
    sealed = EncryptedText.of(SECRET)
    settings.CREDENTIAL_KEYS = [new, old]
    assert sealed.reveal() == SECRET
    anew = sealed.rotated()
    settings.CREDENTIAL_KEYS = [new]
    assert anew.reveal() == SECRET
    with pytest.raises(CannotDecrypt):
        sealed.reveal()
    with pytest.raises(CannotDecrypt):
        sealed.rotated()


def test_empty_value_counts_as_absent() -> None:
    assert not EncryptedText.of("")
    with pytest.raises(CannotDecrypt):
        EncryptedText.of("").reveal()


def test_modified_value_cannot_be_decrypted(settings: Settings) -> None:
    sealed = EncryptedText.of(SECRET)
    with pytest.raises(CannotDecrypt):
        EncryptedText(sealed.token[:-6] + "AAAAA=").reveal()
    with pytest.raises(CannotDecrypt):
        EncryptedText("words").reveal()


def test_list_of_credentials_decrypts_none_of_them(
    credential: Credential, django_assert_num_queries: DjangoAssertNumQueries, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = []
    with django_assert_num_queries(1):
        assert [row.name for row in Credential.objects.all()] == ["Acme"]
