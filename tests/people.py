"""People and accounts for the tests, made by the same verbs that make them in the portal."""

from django.contrib.auth.models import Group
from django.utils import timezone

from commands.actions.administration.accounts import add_account, add_credential
from commands.models import Account, Credential, Grant, User


def make_person(username: str, *groups: str, is_staff: bool | None = None) -> User:
    """A person in these groups (helpdesk, manager, admin, auditor); staff if among the admins. No password."""
    staff = "admin" in groups if is_staff is None else is_staff
    person = User(username=username, email=f"{username}@example.com", is_staff=staff)
    person.set_unusable_password()
    person.save()
    found = Group.objects.filter(name__in=groups)
    assert len(found) == len(groups), f"no such group among {groups}"
    person.groups.set(found)
    return person


def make_credential(name: str = "Credential", *, value: str = "token-of-a-test", email: str = "") -> Credential:
    """An API token; with an email address a global key."""
    scheme = Credential.Scheme.KEY if email else Credential.Scheme.TOKEN
    return add_credential(Credential(name=name, scheme=scheme, email=email), value=value)


def make_account(
    name: str = "Acme", *, cloudflare_id: str | None = None, credential: Credential | None = None
) -> Account:
    """An account of the upstream in force, with a credential of its own unless one is given."""
    account = Account(
        name=name,
        cloudflare_id=cloudflare_id or f"{0xACC0 + Account.objects.count():032x}",
        credential=credential or make_credential(f"Credential of {name}"),
    )
    return add_account(account, now=timezone.now())


def make_group(name: str, *, account: Account | None = None, **rights: bool) -> Group:
    """A group with one grant: in this account, or in every one."""
    group, _ = Group.objects.get_or_create(name=name)
    Grant.objects.create(group=group, account=account, **rights)
    return group
