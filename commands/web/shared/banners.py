"""The banners above every page of an account: what rests at Cloudflare, and what waits for a person's word."""

from dataclasses import dataclass
from datetime import datetime

from commands.actions.upstream.clients import OUR_OWN
from commands.models import Pause
from commands.queries.pauses import Resting, Trouble


@dataclass(frozen=True, slots=True)
class Banner:
    tone: str
    title: str
    sentence: str
    at: datetime | None = None
    form: str = "ago"  # how the time is told; one that is to come as "time"

    @property
    def is_never(self) -> bool:
        """The sentence announces a time, and there is none."""
        return self.at is None and self.sentence.endswith(":")


_ACTS = {
    Pause.Act.CREATE: ("sending commands", "Commands are kept until they expire."),
    Pause.Act.LIST: ("listing commands", "What is shown of running commands may be old."),
    Pause.Act.DIRECTORY: ("listing devices and the quota", "Devices and quota may be old."),
    Pause.Act.DOWNLOAD: ("fetching files", "Results stay at Cloudflare, which keeps them for 7 days."),
}


def banners(trouble: Trouble, listed_at: datetime | None) -> list[Banner]:
    """One for each sort of trouble: results that will be lost, refused, never asked, away, throttled, held.

    What is away names nobody: it may be Cloudflare, the way to it, a single file, or ourselves; the words say which.
    """
    refused = [one for one in trouble.resting if one.refused and one.words not in OUR_OWN]
    not_asked = [one for one in trouble.resting if one.refused and one.words in OUR_OWN]
    away = [one for one in trouble.resting if not one.refused]
    found = [_losing(*trouble.losing)] if trouble.losing else []
    if refused:
        title = f"Cloudflare refuses {_names(refused)}."
        found.append(Banner("failed", title, _to_be_mended(refused, trouble), refused[0].since))
    if not_asked:
        title = "dexportal cannot speak for this account."
        found.append(Banner("failed", title, _to_be_mended(not_asked, trouble), not_asked[0].since))
    if trouble.throttled:
        until, words = trouble.throttled
        sentence = f"{words} Commands are kept and go out afterwards. Until:"
        found.append(Banner("waiting", "Cloudflare asks for a rest.", sentence, until, "time"))
    if away:
        sentence = f"{_told(away, trouble)} It is tried again and again. Last good sync:"
        found.append(Banner("failed", f"Trouble with {_names(away)}.", sentence, listed_at))
    if held := trouble.held:
        title = "1 command waits for your word." if held == 1 else f"{held} commands wait for your word."
        words = "Sending rested for so long after they were asked for that they go out only by “Send now” on each."
        found.append(Banner("waiting", title, words))
    return found


def _losing(results: int, first_at: datetime) -> Banner:
    if results == 1:
        title = "1 result is about to be lost."
        words = "It is not here yet, and Cloudflare deletes it soon, unless fetching files works before. Deleted:"
    else:
        title = f"{results} results are about to be lost."
        words = (
            "They are not here yet, and Cloudflare deletes them within 24 hours, unless fetching files works before. "
            "The first is deleted:"
        )
    return Banner("failed", title, words, first_at, "time")


def _to_be_mended(resting: list[Resting], trouble: Trouble) -> str:
    """The number of those that wait belongs to what is said of sending."""
    waiting = _waiting(trouble.unsent) if any(one.act is Pause.Act.CREATE for one in resting) else ""
    return f"{_told(resting, trouble)}{waiting} The people who administer this account have to mend it. Since:"


def _waiting(unsent: int) -> str:
    if not unsent:
        return ""
    return " 1 command waits to be sent." if unsent == 1 else f" {unsent} commands wait to be sent."


def _names(resting: list[Resting]) -> str:
    names = [_ACTS[one.act][0] for one in resting]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _told(resting: list[Resting], trouble: Trouble) -> str:
    """Cloudflare's words, each once, and what they mean for the people here."""
    words = list(dict.fromkeys(one.words for one in resting))
    return " ".join([*words, *(_meaning(one.act, trouble) for one in resting)])


def _meaning(act: Pause.Act, trouble: Trouble) -> str:
    """That Cloudflare keeps results for 7 days comforts nobody whose days are over."""
    if act is Pause.Act.DOWNLOAD and trouble.losing:
        return "Results stay at Cloudflare until it deletes them."
    return _ACTS[act][1]
