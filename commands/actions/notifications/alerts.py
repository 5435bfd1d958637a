"""One mail to the people who may administer an account, when Cloudflare begins to refuse it; and one more when it is
about to delete results that cannot be fetched.

Owns the mail: who gets it, what it says, that it goes out once for what Cloudflare says, that a mail server which is
away is tried again, hourly in the end, and that who gets an address later is told then. It names no person and no
device: to administer is not to see.
Must not decide what a refusal stops.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.urls import reverse

from commands import clock
from commands.actions.record import leases
from commands.actions.upstream import clients
from commands.models import Account, Artifact, Command, Pause, User
from commands.rules.kinds import SPECS, Kind
from commands.rules.states import Status

log = structlog.get_logger(__name__)

LISTED_RESULTS = 20
MOST_TOLD = 5  # mails about one refusal, should Cloudflare put it differently each time
OUR_ADVICE = (
    "What to do: enter the account's credential anew in the administration; or, where its key was lost from",
    "CREDENTIAL_KEYS, put that one back and restart the portal.",
)
THEIR_ADVICE = (
    "What to do: check that the account's token is valid and has the permissions (DEX Write, or DEX Read for",
    "reading alone), and enter a new one in the administration.",
)


def tell(*, now: datetime) -> int:
    """Mail what was not told yet; returns how many mails went out."""
    sent = 0
    loses = Exists(nearly_lost(now).filter(command__account=OuterRef("account")))
    news = Q(told_at=None) | Q(loses, act=Pause.Act.DOWNLOAD, lost_told_at=None)
    untold = Pause.objects.filter(news, refused=True, account__in=Account.objects.active())
    while (pause := leases.take(untold.order_by("since", "id"), lasting=settings.MAIL_LEASE)) is not None:
        sent += _tell(pause, now)
    return sent


def _tell(pause: Pause, now: datetime) -> bool:
    account = Account.objects.get(id=pause.account_id)
    loses = nearly_lost(now).filter(command__account=account).exists()
    is_news = pause.told_at is None and not _is_known(pause, now)
    if not is_news and not (loses and _is_first_loss(pause)):
        _told(pause, now, loses=loses and pause.act == Pause.Act.DOWNLOAD)
        return False
    people = administrators(account)
    if not people:
        log.error("nobody_to_tell", account=str(account.id), act=pause.act, words=pause.words)
        again = clock.database_now() + settings.LONGEST_REST  # somebody may have an address by then
        leases.hand_back(pause, attempts=pause.attempts - 1, not_before=again)
        return False
    try:
        _mail(account, people, now, is_news=is_news).send()
    except (OSError, ValueError) as problem:  # SMTP's own errors are OSErrors
        _postpone(pause, problem)
        return False
    _told(pause, now, loses=loses)
    log.info("admins_told", account=str(account.id), act=pause.act, people=len(people))
    return True


def _is_known(pause: Pause, now: datetime) -> bool:
    """Told already in these words, of this act or of another: a bad token stops every act within minutes, and that is
    one piece of news.

    What was refused long ago and not tried since is none of it.
    """
    if pause.words in pause.told_words or len(pause.told_words) >= MOST_TOLD:
        return True
    others = Pause.objects.filter(account=pause.account_id, refused=True, until__gte=now - settings.PAUSE_MAX)
    told = others.exclude(pk=pause.pk).values_list("told_at", "words", "told_words")
    return any(pause.words in told_words or (told_at and pause.words == words) for told_at, words, told_words in told)


def _is_first_loss(pause: Pause) -> bool:
    """Results come close to their end while they cannot be fetched, and no mail about this account has said so yet."""
    if pause.act != Pause.Act.DOWNLOAD or pause.lost_told_at is not None:
        return False
    return not Pause.objects.filter(account=pause.account_id, refused=True, lost_told_at__isnull=False).exists()


def administrators(account: Account) -> list[User]:
    """Active people with an address whose groups may administer the account."""
    return list(administrators_of(account).distinct().order_by("id"))


def administrators_of(account: Account | OuterRef) -> QuerySet[User]:
    """As `administrators`, as a query, or a part of one; some of them twice."""
    grants = Q(groups__grants__account=None) | Q(groups__grants__account=account)
    return User.objects.filter(grants, groups__grants__administer=True, is_active=True).exclude(email="")


def nearly_lost(now: datetime) -> QuerySet[Artifact]:
    """Results that are not here yet and that Cloudflare deletes within ARTIFACT_URGENT."""
    soon = now + settings.ARTIFACT_URGENT
    return Artifact.objects.to_fetch().filter(deleted_remotely_at__gt=now, deleted_remotely_at__lte=soon)


def _told(pause: Pause, now: datetime, *, loses: bool) -> None:
    """Should Cloudflare have put it differently meanwhile, that is still to be told. `loses`: they know that, too."""
    told_at = Case(When(words=pause.words, then=Value(now)), default=F("told_at"))
    words = list(dict.fromkeys([*pause.told_words, pause.words]))[-MOST_TOLD:]
    lost: dict[str, object] = {"lost_told_at": now} if loses else {}
    Pause.objects.filter(leases.is_holder(pause)).update(told_at=told_at, told_words=words, **lost, **leases.released())


def _postpone(pause: Pause, problem: Exception) -> None:
    """Nobody else tells them: it is tried for as long as there is something to tell."""
    is_quick = pause.attempts < settings.MAIL_ATTEMPTS
    wait = settings.MAIL_RETRY * 2 ** (pause.attempts - 1) if is_quick else settings.LONGEST_REST
    again = clock.database_now() + wait
    leases.hand_back(pause, attempts=pause.attempts, not_before=again)
    log.error(
        "admins_not_told",
        account=str(pause.account_id),
        problem=repr(problem),
        attempt=pause.attempts,
        again=again.isoformat(),
    )


def _mail(account: Account, people: Sequence[User], now: datetime, *, is_news: bool) -> EmailMessage:
    """`is_news`: that it is refused; else the results are, and they come first."""
    refused = Pause.objects.filter(account=account, refused=True).order_by("since", "id")
    ours = [pause for pause in refused if pause.words in clients.OUR_OWN]
    theirs = [pause for pause in refused if pause.words not in clients.OUR_OWN]
    queued = Command.objects.filter(account=account, status=Status.QUEUED, dispatch=None).count()
    missing = nearly_lost(now).filter(command__account=account)
    results = missing.select_related("command").order_by("deleted_remotely_at", "id")[:LISTED_RESULTS]
    count = missing.count()
    losing = [
        f"Results that Cloudflare deletes within 24 hours and that are not here yet: {count}.",
        *(_line(artifact) for artifact in results),
        "",
    ]
    lines = [
        *([] if is_news else losing),
        *_part(f"dexportal cannot speak for the account “{account.name}”: Cloudflare was not asked.", ours, OUR_ADVICE),
        *_part(
            f"Cloudflare refuses dexportal for the account “{account.name}”.",
            theirs,
            THEIR_ADVICE,
            in_whose_words="In its words: ",
        ),
        "So far only what is named above rests. Should more be refused in the same words, the banner and the status",
        "page say so, and no further mail. It is tried again, or asked for, every few minutes, and at once when the",
        "credential or the account is changed.",
        "",
        f"Commands that wait to be sent: {queued}. They stay queued until they expire; after a long pause those that",
        "were asked for before it go out only when somebody says “Send now”.",
        "",
        *(losing if is_news else []),
        f"The state of things: {settings.SITE_URL}{reverse('operations')}",
    ]
    what = f"Cloudflare refuses {account.name}" if theirs else f"Nothing can be asked of Cloudflare for {account.name}"
    subject = f"{what}: {', '.join(pause.get_act_display() for pause in theirs or ours)}"
    if not is_news:
        subject = f"Results of {account.name} are about to be lost: {count}"
    return EmailMessage(subject, "\n".join(lines), to=[person.email for person in people])


def _part(lead: str, pauses: Sequence[Pause], advice: Sequence[str], *, in_whose_words: str = "") -> Iterator[str]:
    """What rests for one sort of reason, and what to do about it; nothing where nothing does."""
    if not pauses:
        return
    yield from (lead, "")
    for pause in pauses:
        yield f"- {pause.get_act_display()}, since {_time(pause.since)}. {in_whose_words}{pause.words}"
    yield from ("", *advice, "")


def _line(artifact: Artifact) -> str:
    command = artifact.command
    kind = SPECS[Kind(command.kind)].label if command.kind in set(Kind) else command.kind
    address = f"{settings.SITE_URL}{reverse('command', args=[command.id])}"
    return f"- {kind}, will be deleted {_time(artifact.deleted_remotely_at)}: {address}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %b %Y %H:%M} UTC".lstrip("0")
