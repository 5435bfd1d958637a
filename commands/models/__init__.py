"""The records, one class a file."""

from commands.models.user import User

__all__ = ["User"]
