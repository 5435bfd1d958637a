"""People who sign in here. Read-only."""

from django.db.models import FETCH_RAISE, Q

from commands.models import User


def signs_in_as(name: str) -> User | None:
    """Whose user name or email this is, in any case of letters; deactivated people too. One query."""
    rows = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name))
    return rows.fetch_mode(FETCH_RAISE).order_by("-is_active", "id").first()
