"""Re-encryption of all credentials with the first key of CREDENTIAL_KEYS. Must never show a value."""

from dataclasses import dataclass

from commands.models import Credential
from commands.models.encrypted_field import CannotDecrypt


@dataclass(frozen=True, slots=True)
class Rotation:
    rotated: int
    undecryptable: tuple[str, ...]  # names of credentials that no key decrypts


def rotate() -> Rotation:
    """Re-encrypt all credentials. One that is changed in the meantime is skipped, because it was just encrypted."""
    rotated, undecryptable = 0, []
    for credential in Credential.objects.order_by("name"):
        if not credential.secret:
            continue
        try:
            rotated_secret = credential.secret.rotated()
        except CannotDecrypt:
            undecryptable.append(credential.name)
            continue
        Credential.objects.filter(pk=credential.pk, secret=credential.secret).update(secret=rotated_secret)
        rotated += 1
    return Rotation(rotated, tuple(undecryptable))
