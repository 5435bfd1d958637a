"""Errors of the client, by their consequence for a caller and not by their technical cause.

Each type answers one question after a POST: was something created at Cloudflare? `NotSent`, `Refused`,
`Rejected` and `Throttled` mean no. `OutcomeUnknown` and its subclasses mean maybe. No error holds a secret, nor an
object of requests or urllib3.
"""

from commands.cloudflare.types import Call, Problem

MAX_MESSAGE = 300


class CloudflareError(Exception):
    """Base class. `message` is a sentence for users, cut to MAX_MESSAGE characters."""

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
        self.status = status  # HTTP status, 0 without a response
        self.problems = problems
        self.retry_after = retry_after  # seconds, None if Cloudflare sent no Retry-After
        super().__init__(self.message)

    @property
    def code(self) -> int:
        """Cloudflare's code of the first problem, 0 without one."""
        return self.problems[0].code if self.problems else 0

    @property
    def remote_message(self) -> str:
        """Cloudflare's own text, each of its messages once. '' without one."""
        problems = (problem for entry in self.problems for problem in entry.all)
        return "; ".join(dict.fromkeys(problem.message for problem in problems if problem.message))

    @property
    def names_credential(self) -> bool:
        """Tell whether a code names the credential. Then every call with it fails until somebody changes it."""
        return any(problem.names_credential for problem in self.problems)


class NotSent(CloudflareError):
    """Request of which no byte reached Cloudflare: DNS, connection refused, TLS, connect time-out or proxy error."""


class Refused(CloudflareError):
    """Account or credential refused: 401, 403, 404, a redirect, or a code of the credential. Nothing was created."""


class NotFound(Refused):
    """Status 404. The account, the command or the file does not exist, or the credential may not see it."""


class Rejected(CloudflareError):
    """Invalid request (400, 422 and other 4xx). Nothing was created. Cloudflare's reasons are in `problems`.

    The client raises it too, with status 0, for a request that it must not send.
    """


class Throttled(CloudflareError):
    """Rate limit reached (429). Nothing was created. All calls with this credential must wait `retry_after` seconds."""


class OutcomeUnknown(CloudflareError):
    """Request that Cloudflare may have carried out: time-out, reset, 408, 409, 425, 5xx or an unreadable response."""


class DeadlineExceeded(OutcomeUnknown):
    """Total deadline of the call, passed after a byte of the request was sent."""


class Truncated(OutcomeUnknown):
    """Response that ended before its announced length."""


class TooLarge(OutcomeUnknown):
    """Response over the size limit. The rest of it was not read."""


class Unreadable(OutcomeUnknown):
    """Response with a 2xx status and a body of the wrong form."""


class ReportedFailure(OutcomeUnknown):
    """Response with status 200 and `success: false`. Cloudflare may have created some commands before it failed."""


class TooManyPages(CloudflareError):
    """Listing of more pages than `ClientLimits.max_pages`. The pages before are complete."""
