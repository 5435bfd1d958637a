"""What can go wrong with a call to Cloudflare, by what it means for us, not by how it came about.

Every error carries the call and a short sentence for people; never a secret, never an HTTP object.
"""

from commands.cloudflare.types import Call, Problem

MAX_MESSAGE = 300


class CloudflareError(Exception):
    """The root. `message` is a sentence for people of at most MAX_MESSAGE characters."""

    def __init__(
        self,
        call: Call,
        message: str,
        *,
        status: int = 0,
        problems: tuple[Problem, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.call = call
        self.message = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
        self.status = status  # HTTP's, 0 where there was no answer
        self.problems = problems
        self.retry_after = retry_after  # seconds, None where Cloudflare did not say
        super().__init__(self.message)

    @property
    def code(self) -> int:
        """Cloudflare's code of the first problem, 0 where it gave none."""
        return self.problems[0].code if self.problems else 0


class NotSent(CloudflareError):
    """Surely not sent: no byte of the request left (DNS, refused, TLS, connect time-out, proxy said no)."""


class Refused(CloudflareError):
    """Cloudflare refused the account or the credential (401, 403, 404, a redirect); nothing was done."""


class NotFound(Refused):
    """404: the account, the command or the file is not there."""


class Rejected(CloudflareError):
    """Cloudflare refused what was asked (400, 422 and other 4xx); nothing was done. See `problems`."""


class Throttled(CloudflareError):
    """429: nothing was done. Every call of the credential waits for `retry_after`."""


class OutcomeUnknown(CloudflareError):
    """What was sent may have landed (time-out, reset, 408, 409, 425, 5xx, an answer that cannot be read)."""


class DeadlineExceeded(OutcomeUnknown):
    """The total deadline of the call passed after something was sent."""


class Truncated(OutcomeUnknown):
    """The answer ended before its announced length."""


class TooLarge(OutcomeUnknown):
    """The answer is over the cap; it was not read to its end."""


class Unreadable(OutcomeUnknown):
    """A success by its status, but the answer makes no sense."""


class ReportedFailure(OutcomeUnknown):
    """HTTP 200 with `success: false`: an error, but whether something was done before it is unknown."""


class TooManyPages(CloudflareError):
    """A listing went on past the bound; the pages that came before it are good."""
