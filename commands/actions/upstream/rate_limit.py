"""May this call to Cloudflare be made now, and if not, when: the rate budget of a credential, and the pauses.

The budget is Cloudflare's (1200 calls in 5 minutes for a credential, less a reserve for people): a bucket that holds
half of it and refills at the rate of the other half, so that no 5 minutes ever see more than the whole. Listings have a
bucket of their own of half the size, so that a POST finds room; files and devices get what is left above a floor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from commands import clock
from commands.cloudflare.types import Call
from commands.models import Account, CallBudget, Pause
from commands.wakeup import wake

log = structlog.get_logger(__name__)

OTHER_CALLS_FLOOR = 0.25  # files and devices leave this part of the bucket to POSTs and listings


class NotNow(Exception):
    """This call is not to be made before `until`; nothing was sent."""

    def __init__(self, until: datetime, message: str) -> None:
        super().__init__(message)
        self.until = until
        self.message = message


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls left, of at most `size`, refilled at `rate` calls a second."""

    size: float
    rate: float

    def refilled(self, left: float | None, since: datetime | None, now: datetime) -> float:
        if left is None or since is None or since > now + settings.LONGEST_REST:
            return self.size
        return min(self.size, left + max(0.0, (now - since).total_seconds()) * self.rate)

    def wait_for(self, left: float, wanted: float) -> timedelta:
        return timedelta(seconds=max(0.0, wanted - left) / self.rate)


def _all_calls() -> Bucket:
    half = (settings.RATE_CALLS - settings.RATE_RESERVE) / 2
    return Bucket(half, half / settings.RATE_WINDOW.total_seconds())


def _list_calls() -> Bucket:
    whole = _all_calls()
    return Bucket(whole.size / 2, whole.rate / 2)


def spend(credential_id: int, call: Call) -> None:
    """Take one call from the credential's budget; raises NotNow. To be asked before every HTTP request."""
    with transaction.atomic():
        row = CallBudget.objects.select_for_update().get(credential_id=credential_id)
        now = clock.database_now()
        if row.paused_until and clock.is_ahead(row.paused_until, now):
            raise NotNow(row.paused_until, row.pause_words)
        everything, listings = _all_calls(), _list_calls()
        left = everything.refilled(row.calls_left, row.counted_at, now)
        list_left = listings.refilled(row.list_calls_left, row.counted_at, now)
        wait = _wait(call, left, list_left)
        # Counted from now where the clock was set back: else nothing would come back until it shows that time again.
        if not wait or (row.counted_at and row.counted_at > now):
            taken = 0 if wait else 1
            CallBudget.objects.filter(pk=row.pk).update(
                calls_left=left - taken,
                list_calls_left=list_left - (taken if call is Call.LIST else 0),
                counted_at=now,
            )
    if wait:
        raise NotNow(now + wait, "The calls that Cloudflare allows are used up for the moment.")


def _wait(call: Call, left: float, list_left: float) -> timedelta:
    everything, listings = _all_calls(), _list_calls()
    if call is Call.LIST:
        return max(everything.wait_for(left, 1), listings.wait_for(list_left, 1))
    if call is Call.CREATE:
        return everything.wait_for(left, 1)
    return everything.wait_for(left, 1 + everything.size * OTHER_CALLS_FLOOR)


def share_of_listings(account: Account, calls: int) -> timedelta:
    """The time in which the account may make so many calls to list, if all accounts of its credential list as much."""
    sharers = Account.objects.active().filter(credential=account.credential_id).count()
    return _list_calls().wait_for(0, calls * max(1, sharers))


def calls_left(row: CallBudget, now: datetime) -> int:
    """How many calls the credential could make at once now; none while Cloudflare asks it to rest."""
    if clock.is_ahead(row.paused_until, now):
        return 0
    return int(_all_calls().refilled(row.calls_left, row.counted_at, now))


def throttled(credential_id: int, *, retry_after: float | None, words: str) -> datetime:
    """Cloudflare answered 429: no call of this credential before the time that this returns.

    As long as Cloudflare asks, but at least as long again as it has lasted: by a `Retry-After` of 0 alone, call after
    call would go out at once.
    """
    asked = settings.THROTTLE_PAUSE if retry_after is None else timedelta(seconds=retry_after)
    with transaction.atomic():
        row = CallBudget.objects.select_for_update().get(credential_id=credential_id)
        now = clock.database_now()
        goes_on = row.paused_since is not None and not _is_forgotten(row.paused_until, now)
        since = row.paused_since if goes_on and row.paused_since else now
        lasted = min(now, row.paused_until or now) - since
        rest = min(max(asked, lasted, settings.PAUSE_BASE), settings.THROTTLE_MAX)
        before = row.paused_until if row.paused_until and clock.is_ahead(row.paused_until, now) else now
        until = max(now + rest, before)
        CallBudget.objects.filter(pk=row.pk).update(paused_until=until, paused_since=since, pause_words=words[:300])
    if not goes_on:
        log.warning("throttle_begins", credential=credential_id, until=until.isoformat(), words=words)
    return until


def _is_forgotten(until: datetime | None, now: datetime) -> bool:
    """A pause that ended long ago, and nobody has called since: a failure now begins another one."""
    return until is None or until < now - settings.PAUSE_MAX


def pause(account: Account, act: Pause.Act, *, words: str, refused: bool, now: datetime) -> datetime:
    """Let one act of an account rest, longer with every failure in a row. Returns until when."""
    words = words[:300]
    with transaction.atomic():
        row, made = Pause.objects.select_for_update().get_or_create(
            account=account, act=act, defaults={"until": now, "since": now, "words": words, "refused": refused}
        )
        anew = made or _is_forgotten(row.until, now)
        failures = 1 if anew else row.failures + 1
        rest = min(settings.PAUSE_MAX, settings.PAUSE_BASE * 2 ** min(failures - 1, 10))
        until = now + (settings.PAUSE_MAX if refused else rest)
        values: dict[str, object] = {"until": until, "failures": failures, "words": words, "refused": refused}
        values |= {"since": now} if anew else {}
        values |= _no_longer_told(row, words, now, refused=refused, anew=anew)
        Pause.objects.filter(pk=row.pk).update(**values)
        is_told = values.get("told_at", row.told_at) is not None
        if refused and not is_told and (anew or not row.refused or words != row.words):
            wake("commands.tasks.tell_due")
    if anew or row.refused != refused:
        event = "pause_begins" if anew else "pause_turns"
        log.warning(event, account=str(account.id), act=act, refused=refused, words=words)
    return until


def _no_longer_told(row: Pause, words: str, now: datetime, *, refused: bool, anew: bool) -> dict[str, object]:
    """What the admins have to be told again: other words, and all of it when the refusal they know of is long over.

    A refusal is not over because nothing was tried for a while: then every command of a day would be a mail.
    """
    if row.told_at is None:
        return {}
    if anew and row.told_at < now - settings.TOLD_FOR:
        return {"told_at": None, "told_words": [], "lost_told_at": None}
    return {"told_at": None} if refused and words not in (row.words, *row.told_words) else {}


def clear_pause(account: Account, act: Pause.Act) -> None:
    """The act succeeded: its pause, if there was one, is over; and so is that of a throttled credential."""
    rows = Pause.objects.filter(account=account, act=act)
    if (row := rows.first()) is not None and rows.delete()[0] and row.until > row.since:
        log.info("pause_ends", account=str(account.id), act=act)
    throttled = CallBudget.objects.filter(credential__account=account, paused_since__isnull=False)
    if throttled.exists() and throttled.filter(paused_until__lte=clock.database_now()).update(paused_since=None):
        log.info("throttle_ends", credential=account.credential_id)


def clear_pause_after_probe(pause: Pause) -> None:
    """A harmless call of the same act was let through: the pause is over, if nothing was refused meanwhile.

    But only a command or a file proves it. Until then the row stays, as a pause of no length, for what the admins were
    told: where such calls are let through and commands are not, they would be told with every command.
    """
    over = Pause.objects.filter(pk=pause.pk, until=pause.until, refused=True)
    if over.update(until=F("since"), refused=False):
        log.info("pause_ends", account=str(pause.account_id), act=pause.act, by="probe")


def active_pause(account: Account, act: Pause.Act, *, now: datetime) -> Pause | None:
    return Pause.objects.filter(account=account, act=act).exclude(clock.has_passed("until", now)).first()


def paused_credentials(credential_ids: Iterable[int], *, now: datetime) -> set[int]:
    rows = CallBudget.objects.filter(credential_id__in=credential_ids).exclude(clock.has_passed("paused_until", now))
    return set(rows.values_list("credential_id", flat=True))
