"""Text field that is stored encrypted (cryptography's MultiFernet) and decrypted only on purpose.

The attribute holds an `EncryptedText`, never the value, so that no repr, log, dump or history shows it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class CannotDecrypt(Exception):
    """Stored value that no key of CREDENTIAL_KEYS decrypts."""


def _keys() -> MultiFernet:
    """Return the keys: the first one encrypts, all of them decrypt."""
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])


@dataclass(frozen=True, slots=True, repr=False)
class EncryptedText:
    """Encrypted value. False if it is empty."""

    token: str

    @classmethod
    def of(cls, value: str) -> "EncryptedText":
        return cls(_keys().encrypt(value.encode()).decode() if value else "")

    def reveal(self) -> str:
        """Decrypt the value. Raises CannotDecrypt."""
        if not self.token:
            raise CannotDecrypt
        try:
            return _keys().decrypt(self.token.encode()).decode()
        except InvalidToken as error:
            raise CannotDecrypt from error

    def rotated(self) -> "EncryptedText":
        """Encrypt the same value with the first key. Raises CannotDecrypt."""
        try:
            return EncryptedText(_keys().rotate(self.token.encode()).decode())
        except InvalidToken as error:
            raise CannotDecrypt from error

    def __bool__(self) -> bool:
        return bool(self.token)

    def __repr__(self) -> str:
        return "EncryptedText(***)" if self.token else "EncryptedText(empty)"

    __str__ = __repr__


if TYPE_CHECKING:
    EncryptedColumn = models.TextField[str | EncryptedText, EncryptedText]
else:
    EncryptedColumn = models.TextField


class EncryptedTextField(EncryptedColumn):
    """Column of `EncryptedText`. A plain string that is assigned is encrypted on its way to the database."""

    def from_db_value(self, value: str, expression: object, connection: object) -> EncryptedText:
        return EncryptedText(value)

    def to_python(self, value: object) -> EncryptedText:
        return value if isinstance(value, EncryptedText) else EncryptedText.of(str(value or ""))

    def get_prep_value(self, value: object) -> str:
        return self.to_python(value).token

    def value_to_string(self, obj: models.Model) -> str:
        """Return '', so that a dump has no credential, encrypted or not."""
        return ""
