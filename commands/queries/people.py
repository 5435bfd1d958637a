"""People who sign in here. Read-only."""

from django.db.models import FETCH_RAISE, Q

from commands.models import User


def signs_in_as(name: str) -> User | None:
    """Return the person with this user name or email, whatever its capitals. Deactivated people too. One query."""
    rows = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name))
    return rows.fetch_mode(FETCH_RAISE).order_by("-is_active", "id").first()
