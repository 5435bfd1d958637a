"""A text that is stored encrypted (cryptography's MultiFernet) and opened only on purpose.

Reading the attribute gives a `Sealed`, never the value, so that it can't slip into a repr, a log, a dump or a history.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class CannotDecrypt(Exception):
    """No key of CREDENTIAL_KEYS opens the stored value."""


def _keys() -> MultiFernet:
    """The first key encrypts, all of them decrypt."""
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])


@dataclass(frozen=True, slots=True, repr=False)
class EncryptedText:
    """An encrypted value. Falsy when there is none."""

    token: str

    @classmethod
    def of(cls, value: str) -> "EncryptedText":
        return cls(_keys().encrypt(value.encode()).decode() if value else "")

    def reveal(self) -> str:
        """The value itself; raises CannotDecrypt."""
        if not self.token:
            raise CannotDecrypt
        try:
            return _keys().decrypt(self.token.encode()).decode()
        except InvalidToken as error:
            raise CannotDecrypt from error

    def rotated(self) -> "EncryptedText":
        """The same value under the first key; raises CannotDecrypt."""
        try:
            return EncryptedText(_keys().rotate(self.token.encode()).decode())
        except InvalidToken as error:
            raise CannotDecrypt from error

    def __bool__(self) -> bool:
        return bool(self.token)

    def __repr__(self) -> str:
        return "Sealed(***)" if self.token else "Sealed(empty)"

    __str__ = __repr__


if TYPE_CHECKING:
    SealedColumn = models.TextField[str | EncryptedText, EncryptedText]
else:
    SealedColumn = models.TextField


class EncryptedTextField(SealedColumn):
    """A column of `Sealed` values; a plain text that is assigned is sealed on its way to the database."""

    def from_db_value(self, value: str, expression: object, connection: object) -> EncryptedText:
        return EncryptedText(value)

    def to_python(self, value: object) -> EncryptedText:
        return value if isinstance(value, EncryptedText) else EncryptedText.of(str(value or ""))

    def get_prep_value(self, value: object) -> str:
        return self.to_python(value).token

    def value_to_string(self, obj: models.Model) -> str:
        """Nothing: a dump carries no credential, encrypted or not."""
        return ""
