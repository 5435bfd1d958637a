"""Django's admin, one module a noun. It decides nothing: what changes anything is a verb of `actions/`."""

from commands.admin import accounts, commands, credentials, groups, operations, people, presets

__all__ = ["accounts", "commands", "credentials", "groups", "operations", "people", "presets"]
