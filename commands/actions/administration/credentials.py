"""Sealing every credential anew under the first key. Must never show a value."""

from dataclasses import dataclass

from commands.models import Credential
from commands.models.encrypted_field import CannotDecrypt


@dataclass(frozen=True, slots=True)
class Rotation:
    rotated: int
    closed: tuple[str, ...]  # names of credentials that no key opens


def rotate() -> Rotation:
    """A credential that somebody changes meanwhile is left alone: it was sealed under the first key just then."""
    rotated, closed = 0, []
    for credential in Credential.objects.order_by("name"):
        if not credential.secret:
            continue
        try:
            anew = credential.secret.rotated()
        except CannotDecrypt:
            closed.append(credential.name)
            continue
        Credential.objects.filter(pk=credential.pk, secret=credential.secret).update(secret=anew)
        rotated += 1
    return Rotation(rotated, tuple(closed))
