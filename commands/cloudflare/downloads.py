"""The file of a command: whether an answer continues where we stand, and its bytes within bounds.

It writes nothing: the caller spools the chunks, and checks the zip afterwards.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from commands.cloudflare import coerce, response_body, responses
from commands.cloudflare.auth import Auth
from commands.cloudflare.errors import NotFound, Refused, Rejected, TooLarge, Truncated, Unreadable
from commands.cloudflare.transport import Response
from commands.cloudflare.types import Call

_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


@dataclass(frozen=True, slots=True)
class Resume:
    """Where the caller stands: bytes that it has, the strong ETag and the total they came with."""

    offset: int = 0
    etag: str = ""
    total: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Empty where there is nothing to continue, or no strong tag to hold on to."""
        tag = coerce.strong_etag(self.etag)
        return {"Range": f"bytes={self.offset}-", "If-Range": tag} if self.offset > 0 and tag else {}

    def continued_by(self, answer: Response) -> bool:
        span = _span(answer)
        if answer.status != 206 or span is None or response_body.is_encoded(answer):
            return False
        start, _, total = span
        tag = coerce.strong_etag(answer.headers.get("ETag", ""))
        return start == self.offset and self.total in (None, total) and tag in ("", coerce.strong_etag(self.etag))


class Download:
    """An open file. Read `chunks()` once; what came before an error may be kept and resumed if `resumable`.

    `total` is the length of the whole file, None where it was not announced (or an encoding hides it);
    `starts_at` is the offset of the first chunk: 0 means from the beginning, whatever was asked for.
    """

    def __init__(self, answer: Response, starts_at: int, max_bytes: int) -> None:
        self._answer = answer
        self._max_bytes = max_bytes
        self.encoded = response_body.is_encoded(answer)
        self.starts_at = starts_at
        self.total = None if self.encoded else _announced(answer)
        self.etag = coerce.strong_etag(answer.headers.get("ETag", ""))
        self.resumable = bool(self.etag) and not self.encoded
        if self.total is not None and self.total > max_bytes:
            raise self._too_large()

    def chunks(self) -> Iterator[bytes]:
        """Pieces of at most 64 KiB. Raises TooLarge, Truncated, DeadlineExceeded, OutcomeUnknown, Unreadable."""
        position = self.starts_at
        for piece in response_body.iter_chunks(self._answer):
            position += len(piece)
            if position > self._max_bytes:
                raise self._too_large()
            if self.total is not None and position > self.total:
                raise Unreadable(Call.DOWNLOAD, "The file is longer than was announced.")
            yield piece
        if self.total is not None and position < self.total:
            raise Truncated(Call.DOWNLOAD, f"The file ended at {position} of {self.total} bytes.")

    def _too_large(self) -> TooLarge:
        return TooLarge(Call.DOWNLOAD, f"The file is over {self._max_bytes} bytes.")


type Asking = Callable[[str, Mapping[str, str]], Response]  # an address and headers, to an answer of 2xx


def opened(ask: Asking, urls: Sequence[str], resume: Resume) -> tuple[Response, int]:
    """The file's answer and the offset that it begins at: the one asked for, else 0, by a second request."""
    if resume.headers:
        answer = _continuation(ask, urls, resume)
        if answer is not None and resume.continued_by(answer):
            return answer, resume.offset
        if answer is not None and answer.status == 200:
            return answer, 0
        if answer is not None:
            answer.close()
    return _first(ask, urls, {}), 0


def _continuation(ask: Asking, urls: Sequence[str], resume: Resume) -> Response | None:
    try:
        return _first(ask, urls, resume.headers)
    except Rejected as error:
        if error.status != 416:  # the file is shorter now than what we have of it
            raise
    return None


def _first(ask: Asking, urls: Sequence[str], headers: Mapping[str, str]) -> Response:
    """The answer of the first address that has the file; of several that have not, the first one's error.

    The other addresses are documented nowhere: who is refused there is not refused where files are.
    """
    missing: list[Refused] = []
    for url in urls:
        try:
            return ask(url, {"Accept-Encoding": "identity", **headers})
        except Refused as error:
            if not missing and not isinstance(error, NotFound):
                raise
            missing.append(error)
    raise missing[0]


def checked(answer: Response, auth: Auth) -> None:
    """Raises ReportedFailure or Unreadable where a 2xx answer is not a whole file from its beginning."""
    if answer.headers.get("Content-Type", "").lower().startswith("application/json"):
        responses.unwrap(
            answer.call,
            responses.parse_json(answer.call, response_body.read_all(answer, response_body.CHUNK_BYTES)),
            auth,
        )
        raise Unreadable(answer.call, "Cloudflare answered with JSON instead of a file.", status=answer.status)
    span = _span(answer)
    whole = answer.status == 200 or (
        answer.status == 206 and span is not None and span[0] == 0 and span[1] + 1 == span[2]
    )
    if not whole:
        raise Unreadable(answer.call, "Cloudflare answered with a part that was not asked for.", status=answer.status)


def _span(answer: Response) -> tuple[int, int, int] | None:
    """First byte, last byte, total of Content-Range; None where it is absent, open or contradicts itself."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None:
        return None
    first, last, total = (int(number) for number in found.groups())
    return (first, last, total) if first <= last < total else None


def _announced(answer: Response) -> int | None:
    if answer.status == 206:
        span = _span(answer)
        return span[2] if span else None
    if answer.headers.get("Transfer-Encoding"):
        return None
    return coerce.count(answer.headers.get("Content-Length", "").strip())
