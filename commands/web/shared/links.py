"""URLs of people, devices and tickets, '' where there is nothing to open. Also the name of a downloaded file."""

from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from commands.models import Command


def person_url(account_id: UUID, email: str) -> str:
    return _named("person", email, account_id) if email and "/" not in email else ""


def device_url(account_id: UUID, device_id: str) -> str:
    return _named("device", device_id, account_id) if device_id and "/" not in device_id else ""


def ticket_url(account_id: UUID, ticket: str) -> str:
    """Return the address of the history of this ticket."""
    return f"{reverse('history')}?{urlencode({'account': account_id, 'ticket': ticket})}" if ticket else ""


def download_name(command: Command) -> str:
    """Return the file name under which a browser saves the result of a command."""
    return f"{command.kind}-{command.device_name or command.device_id}-{command.id.hex[-6:]}.zip"


def _named(name: str, word: str, account_id: UUID) -> str:
    return f"{reverse(name, args=[word])}?{urlencode({'account': account_id})}"
