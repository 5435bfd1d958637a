"""Demo people and their common password. They can sign in only while the simulator is the upstream.

Must not touch other people: a user with one of these names and another email address is somebody else. A demo user whom
an administrator deactivated stays inactive. One whom a real upstream deactivated has no usable password, and is
activated again with the simulator.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from commands.models import User
from commands.secret_file import read_or_create_secret

PEOPLE: Mapping[str, Sequence[str]] = {
    "helpdesk": ("helpdesk",),
    "manager": ("manager",),
    "admin": ("admin",),
    "auditor": ("auditor",),
    "outsider": (),
}
"""User names, and the groups that a user is put into when created."""

EMAIL_DOMAIN = "demo.example.com"


class NotTheSimulator(Exception):
    """Refusal to create demo people, because they exist only with the simulator."""


def demo_password() -> str:
    """Return DEXPORTAL_DEMO_PASSWORD, or a password that is generated once and stored in a private file."""
    return settings.DEMO_PASSWORD or read_or_create_secret(
        settings.VAR_DIR / "demo_password", lambda: secrets.token_urlsafe(12)
    )


def ensure_demo_people(*, now: datetime) -> list[User]:
    """Create missing demo people and set the password of all. Returns the people who can sign in with it."""
    if not settings.UPSTREAM.is_simulator:
        raise NotTheSimulator
    password = demo_password()
    with transaction.atomic():
        for name, groups in PEOPLE.items():
            if not User.objects.filter(username=name).exists():
                _create(name, groups, now)
        people = list(demo_people())
        _reactivate(people)
        if not _is_current(password, people):
            _set_password(password, people)
    return [person for person in people if person.is_active]


def dismiss_demo_people() -> None:
    """Deactivate all demo people, unless the simulator is the upstream. Their sessions end."""
    if settings.UPSTREAM.is_simulator:
        return
    for person in who_can_sign_in():
        person.is_active = False
        person.set_unusable_password()
        person.save(update_fields=["is_active", "password"])


def who_can_sign_in() -> list[User]:
    return [person for person in demo_people() if person.is_active and person.has_usable_password()]


def demo_people() -> Sequence[User]:
    emails = [_email(name) for name in PEOPLE]
    return list(User.objects.filter(username__in=list(PEOPLE), email__in=emails).order_by("id"))


def _email(name: str) -> str:
    return f"{name}@{EMAIL_DOMAIN}"


def _create(name: str, groups: Sequence[str], now: datetime) -> None:
    person = User(username=name, email=_email(name), is_staff="admin" in groups, date_joined=now)
    person.set_unusable_password()
    person.save(force_insert=True)
    person.groups.set(Group.objects.filter(name__in=groups))


def _reactivate(people: Sequence[User]) -> None:
    for person in people:
        if not (person.is_active or person.has_usable_password()):
            person.is_active = True
            person.save(update_fields=["is_active"])


def _set_password(password: str, people: Sequence[User]) -> None:
    for person in people:
        person.set_password(password)
        person.save(update_fields=["password"])
    file = _fingerprint_file()
    file.unlink(missing_ok=True)
    read_or_create_secret(file, lambda: _fingerprint(password, people))


def _is_current(password: str, people: Sequence[User]) -> bool:
    """Compare fingerprints. Checking the password of each person is slow on purpose, too slow for each start."""
    file = _fingerprint_file()
    return file.exists() and constant_time_compare(file.read_text(), _fingerprint(password, people))


def _fingerprint_file() -> Path:
    return settings.VAR_DIR / "demo_people"


def _fingerprint(password: str, people: Sequence[User]) -> str:
    text = "\n".join([password, *(f"{person.username} {person.password}" for person in people)])
    return salted_hmac("commands.actions.administration.demo", text, algorithm="sha256").hexdigest()
