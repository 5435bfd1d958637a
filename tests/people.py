"""People, groups, credentials and accounts for the tests."""

from django.contrib.auth.models import Group
from django.utils import timezone

from commands.actions.administration.accounts import add_account, add_credential
from commands.models import Account, Credential, Grant, User


def make_person(username: str, *groups: str, is_staff: bool | None = None) -> User:
    """Create a user without a password in these groups (helpdesk, manager, admin, auditor).

    Admins are staff unless `is_staff` says otherwise.
    """
    staff = "admin" in groups if is_staff is None else is_staff
    person = User(username=username, email=f"{username}@example.com", is_staff=staff)
    person.set_unusable_password()
    person.save()
    existing = Group.objects.filter(name__in=groups)
    assert len(existing) == len(groups), f"unknown group among {groups}"
    person.groups.set(existing)
    return person


def make_credential(name: str = "Credential", *, value: str = "token-of-a-test", email: str = "") -> Credential:
    """Create an API token or, if an email address is given, a global API key."""
    scheme = Credential.Scheme.KEY if email else Credential.Scheme.TOKEN
    return add_credential(Credential(name=name, scheme=scheme, email=email), value=value)


def make_account(
    name: str = "Acme", *, cloudflare_id: str | None = None, credential: Credential | None = None
) -> Account:
    """Create an active account, with a new credential unless one is given."""
    account = Account(
        name=name,
        cloudflare_id=cloudflare_id or f"{0xACC0 + Account.objects.count():032x}",
        credential=credential or make_credential(f"Credential of {name}"),
    )
    return add_account(account, now=timezone.now())


def make_group(name: str, *, account: Account | None = None, **rights: bool) -> Group:
    """Create a group with one grant in this account, or in every account if none is given."""
    group, _ = Group.objects.get_or_create(name=name)
    Grant.objects.create(group=group, account=account, **rights)
    return group
