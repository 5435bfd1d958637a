"""Banners above every page of an account: what is paused at Cloudflare, and what waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from commands.queries.pauses import AccountPauses, ExpiringResults, ShownPause
from commands.rules.pauses import Operation
from commands.rules.wording import pauses as wording
from commands.rules.wording import sentence
from commands.rules.wording.pauses import BannerCode


@dataclass(frozen=True, slots=True)
class Banner:
    """Banner with an optional time behind its sentence.

    Attributes:
        time_label: what the time is. With a label and without a time the banner says "never".
        form: how the browser shows the time. "time" for one that is ahead.
    """

    tone: str
    title: str
    sentence: str
    time_label: str = ""
    at: datetime | None = None
    form: str = "ago"

    @property
    def is_never(self) -> bool:
        return bool(self.time_label) and self.at is None


def banners(shown: AccountPauses, listed_at: datetime | None) -> list[Banner]:
    """Build one banner for each sort of problem. It names nobody as the cause of a failing operation."""
    refused = [pause for pause in shown.pauses if pause.refused and not pause.is_credential_problem]
    no_credential = [pause for pause in shown.pauses if pause.refused and pause.is_credential_problem]
    failing = [pause for pause in shown.pauses if not pause.refused]
    banners = [_expiring(shown.expiring)] if shown.expiring else []
    for code, pauses in ((BannerCode.REFUSED, refused), (BannerCode.NO_WORKING_CREDENTIAL, no_credential)):
        if pauses:
            banners.append(_banner(code, "failed", pauses[0].since, before=_refusal(pauses, shown), pauses=pauses))
    if shown.rate_limit:
        until, reason = shown.rate_limit.until, shown.rate_limit.reason
        banners.append(_banner(BannerCode.RATE_LIMITED, "waiting", until, before=reason, form="time"))
    if failing:
        banners.append(
            _banner(BannerCode.FAILING, "failed", listed_at, before=_reasons(failing, shown), pauses=failing)
        )
    if shown.held:
        banners.append(_banner(BannerCode.HELD, "waiting", None, commands=wording.count_held(shown.held)))
    return banners


def _banner(
    code: BannerCode,
    tone: str,
    at: datetime | None,
    *,
    before: str = "",
    pauses: Sequence[ShownPause] = (),
    form: str = "ago",
    **values: object,
) -> Banner:
    operations = wording.join_operations(pause.operation for pause in pauses) if pauses else ""
    title = sentence(wording.BANNER_TITLES, code, operations=operations, **values)
    text = f"{before} {sentence(wording.BANNER_SENTENCES, code)}".strip()
    return Banner(tone, title, text, sentence(wording.BANNER_TIMES, code), at, form)


def _expiring(expiring: ExpiringResults) -> Banner:
    results = wording.count_results(expiring.count)
    return _banner(BannerCode.RESULTS_EXPIRING, "failed", expiring.first_at, form="time", results=results)


def _refusal(pauses: Sequence[ShownPause], shown: AccountPauses) -> str:
    """Describe a refusal, with the number of waiting commands where sending is refused."""
    is_sending = any(pause.operation is Operation.CREATE for pause in pauses)
    waiting = wording.count_unsent(shown.unsent) if is_sending else ""
    return f"{_reasons(pauses, shown)} {waiting}".strip()


def _reasons(pauses: Sequence[ShownPause], shown: AccountPauses) -> str:
    """Return each reason once, and what each pause means for users."""
    reasons = dict.fromkeys(pause.reason for pause in pauses)
    results_expire = shown.expiring is not None
    effects = [wording.describe_consequence(pause.operation, results_expire=results_expire) for pause in pauses]
    return " ".join([*reasons, *effects])
