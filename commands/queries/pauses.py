"""What Cloudflare does not take from an account for the moment, and what waits for it.

Not a query of its own: `beside()` goes into a query of accounts, which then has a row for each act that rests, and
`trouble()` reads it from there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, F, OuterRef, Q, Subquery, When

from commands import clock
from commands.actions.notifications import alerts
from commands.models import Account, Command, Pause
from commands.queries.subqueries import SubqueryCount
from commands.rules.states import Status


@dataclass(frozen=True, slots=True)
class Resting:
    """One act that rests: `refused`, an admin has to mend something; else it is tried again at `until`, which has
    passed while that is done."""

    act: Pause.Act
    words: str
    since: datetime
    until: datetime
    refused: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """`throttled`: until when Cloudflare takes no call of the credential, with its words. `held`: how many commands
    wait for "send now". `unsent`: how many wait, counted only while Cloudflare refuses to take any. `losing`: how many
    results Cloudflare deletes soon that cannot be fetched now, and when the first of them."""

    resting: Sequence[Resting] = ()
    throttled: tuple[datetime, str] | None = None
    held: int = 0
    unsent: int = 0
    losing: tuple[int, datetime] | None = None


NO_TROUBLE = Trouble()
_FIELDS = ("act", "words", "since", "until", "refused")


def resting(now: datetime) -> Q:
    """Of pauses: what is shown as resting. What is refused, until it works again; what is away, also while it is tried
    again: for as long after `until` as a try may take. What workers may do is `budget.resting`'s to say."""
    return Q(refused=True) | ~clock.has_passed("until", now - settings.SYNC_LEASE)


def is_tried(until: datetime, now: datetime) -> bool:
    """The time of a pause has passed just now: if there is anything to do, a try is under way."""
    return not clock.is_ahead(until, now) and _is_shown(until, now)


def _is_shown(until: datetime, now: datetime) -> bool:
    """As `resting`, of what is away, in a row that is here already."""
    return clock.is_ahead(until, now - settings.SYNC_LEASE)


def pause_annotations(now: datetime) -> Mapping[str, Any]:
    """Annotations of a query of accounts."""
    unsent = Command.objects.filter(account=OuterRef("pk"), status=Status.QUEUED, dispatch=None)
    held = Command.objects.filter(account=OuterRef("pk"), status=Status.QUEUED, held_at__isnull=False)
    refuses = When(pauses__act=Pause.Act.CREATE, pauses__refused=True, then=SubqueryCount(unsent.values("id")))
    missing = alerts.nearly_lost(now).filter(command__account=OuterRef("pk")).order_by("deleted_remotely_at")
    first = Subquery(missing.values("deleted_remotely_at")[:1])
    return {
        **{f"pause_{field}": F(f"pauses__{field}") for field in _FIELDS},
        "throttled_until": F("credential__budget__paused_until"),
        "throttled_words": F("credential__budget__pause_words"),
        "held": SubqueryCount(held.values("id")),
        "unsent": Case(refuses, default=0),
        "losing": Case(When(pauses__act=Pause.Act.DOWNLOAD, then=SubqueryCount(missing.values("id"))), default=0),
        "losing_first_at": Case(When(pauses__act=Pause.Act.DOWNLOAD, then=first), default=None),
    }


def pauses_from_rows(rows: Iterable[Account], *, now: datetime) -> Trouble:
    """From the rows of one account, which have what is `beside()`."""
    found: list[Resting] = []
    throttled, held, unsent, losing = None, 0, 0, None
    for row in map(vars, rows):
        if row["pause_act"] and (row["pause_refused"] or _is_shown(row["pause_until"], now)):
            act, *values = (row[f"pause_{field}"] for field in _FIELDS)
            found.append(Resting(Pause.Act(act), *values))
            losing = (row["losing"], row["losing_first_at"]) if row["losing"] else losing
        if clock.is_ahead(row["throttled_until"], now):
            throttled = row["throttled_until"], row["throttled_words"]
        held, unsent = row["held"], max(unsent, row["unsent"])
    return Trouble(sorted(found, key=lambda one: (one.since, one.act)), throttled, held, unsent, losing)
