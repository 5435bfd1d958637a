from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from commands.models import Credential
from tests.people import make_credential

pytestmark = pytest.mark.django_db

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


def rotate() -> str:
    output = StringIO()
    call_command("rotate_credentials", stdout=output)
    return output.getvalue()


def revealed() -> dict[str, str]:
    return {credential.name: credential.secret.reveal() for credential in Credential.objects.all()}


def test_first_key_alone_decrypts_everything_after_a_rotation(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = [OLD]
    for number in range(3):
        make_credential(f"Credential {number}", value=f"value-{number}")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    assert rotate() == "3 credentials are encrypted with the first key.\n"
    settings.CREDENTIAL_KEYS = [NEW]
    assert revealed() == {f"Credential {number}": f"value-{number}" for number in range(3)}


def test_undecryptable_credential_is_named_and_the_others_are_rotated(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = [LOST]
    make_credential("Forgotten", value="value-of-the-lost")
    settings.CREDENTIAL_KEYS = [OLD]
    make_credential("Known", value="value-of-the-known")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="“Forgotten”") as failure:
        rotate()
    assert failure.value.returncode == 1
    assert "value-of" not in str(failure.value)
    settings.CREDENTIAL_KEYS = [NEW, LOST]
    assert revealed() == {"Forgotten": "value-of-the-lost", "Known": "value-of-the-known"}


def test_empty_credential_is_not_rotated(settings: Settings) -> None:
    make_credential("Empty", value="")
    assert rotate() == "0 credentials are encrypted with the first key.\n"


def test_rotation_does_not_count_as_a_change_of_the_value(settings: Settings) -> None:
    before = make_credential("Acme").changed_at
    rotate()
    assert Credential.objects.get().changed_at == before
