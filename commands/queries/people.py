"""People who sign in here. Read-only."""

from uuid import UUID

from django.db.models import FETCH_RAISE, Exists, OuterRef, Q

from commands.models import Command, Grant, User


def requester(name: str, account_id: UUID) -> User | None:
    """Return the person with this user name or email, whatever its capitals, if the account knows the person.

    It knows people who have requested a command there or have a right there, deactivated ones too. All others are as
    unknown as a name that nobody has, so that the answer tells nothing about other accounts. One query.
    """
    requested = Command.objects.filter(account=account_id, requested_by=OuterRef("pk"))
    granted = Grant.objects.filter(Q(account=account_id) | Q(account=None), group__user=OuterRef("pk"))
    rows = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name))
    rows = rows.filter(Exists(requested) | Exists(granted))
    return rows.fetch_mode(FETCH_RAISE).order_by("-is_active", "id").first()
