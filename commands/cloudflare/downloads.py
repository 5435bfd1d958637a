"""Download of a command's result file: resuming an earlier part, and reading with limits.

This module writes no file. The caller stores the chunks and checks the complete zip.
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
    """Part of the file that the caller has: its length in bytes, and the ETag and total size that came with it."""

    offset: int = 0
    etag: str = ""
    total: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Headers that request the rest. Empty without an earlier part or without a strong ETag."""
        tag = coerce.strong_etag(self.etag)
        return {"Range": f"bytes={self.offset}-", "If-Range": tag} if self.offset > 0 and tag else {}

    def is_continued_by(self, response: Response) -> bool:
        """Tell if the response begins at the offset and belongs to the same version of the file."""
        content_range = _content_range(response)
        if response.status != 206 or content_range is None or response_body.is_encoded(response):
            return False
        start, _, total = content_range
        tag = coerce.strong_etag(response.headers.get("ETag", ""))
        return start == self.offset and self.total in (None, total) and tag in ("", coerce.strong_etag(self.etag))


class Download:
    """Open result file, as `Client.download` yields it.

    Attributes:
        starts_at: Offset of the first chunk in the file. 0 means the whole file, even if the caller has a part.
        total: Size of the whole file in bytes, None if Cloudflare did not announce it or the file is encoded.
        etag: Strong ETag, '' if there is none.
        resumable: Chunks that arrived before an error may be kept, and the rest requested later.
        encoded: Cloudflare compressed the response. `chunks` decodes it.
    """

    def __init__(self, response: Response, starts_at: int, max_bytes: int) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self.encoded = response_body.is_encoded(response)
        self.starts_at = starts_at
        self.total = None if self.encoded else _announced_size(response)
        self.etag = coerce.strong_etag(response.headers.get("ETag", ""))
        self.resumable = bool(self.etag) and not self.encoded
        if self.total is not None and self.total > max_bytes:
            raise self._too_large()

    def chunks(self) -> Iterator[bytes]:
        """Yield the file in chunks of at most 64 KiB, once.

        Raises:
            TooLarge: the file is larger than the limit.
            Truncated: the file ended before its announced size.
            Unreadable: the file is longer than announced, or its encoding is damaged.
            DeadlineExceeded, OutcomeUnknown: the connection was too slow, or broke.
        """
        position = self.starts_at
        for chunk in response_body.iter_chunks(self._response):
            position += len(chunk)
            if position > self._max_bytes:
                raise self._too_large()
            if self.total is not None and position > self.total:
                raise Unreadable(Call.DOWNLOAD, "The file is longer than announced.")
            yield chunk
        if self.total is not None and position < self.total:
            raise Truncated(Call.DOWNLOAD, f"The file ended at {position} of {self.total} bytes.")

    def _too_large(self) -> TooLarge:
        return TooLarge(Call.DOWNLOAD, f"The file is over {self._max_bytes} bytes.")


type Send = Callable[[str, Mapping[str, str]], Response]  # sends a GET for a URL with headers, returns a 2xx response


def open_file(send: Send, urls: Sequence[str], resume: Resume) -> tuple[Response, int]:
    """Return a response for the file, and the offset in the file at which it begins.

    A response that doesn't continue the caller's part is dropped, and the whole file is requested with a second GET.
    """
    if resume.headers:
        response = _request_rest(send, urls, resume)
        if response is not None and resume.is_continued_by(response):
            return response, resume.offset
        if response is not None and response.status == 200:
            return response, 0  # the file has changed, so If-Range made the server send all of it
        if response is not None:
            response.close()
    return _request(send, urls, {}), 0


def _request_rest(send: Send, urls: Sequence[str], resume: Resume) -> Response | None:
    try:
        return _request(send, urls, resume.headers)
    except Rejected as error:
        if error.status != 416:  # 416: the file is now shorter than the caller's part
            raise
    return None


def _request(send: Send, urls: Sequence[str], headers: Mapping[str, str]) -> Response:
    """Return the response of the first URL that has the file, else raise the error of the first URL.

    Only the first URL is documented. A refusal by another one is no reason to call the account refused, so it counts
    as if the file was not found there.
    """
    missing: list[Refused] = []
    for url in urls:
        try:
            return send(url, {"Accept-Encoding": "identity", **headers})
        except Refused as error:
            if not missing and not isinstance(error, NotFound):
                raise
            missing.append(error)
    raise missing[0]


def check_is_whole_file(response: Response, auth: Auth) -> None:
    """Check that a 2xx response is a file from its first to its last byte.

    Raises:
        ReportedFailure: Cloudflare sent an envelope with `success: false`.
        Unreadable: Cloudflare sent other JSON, a part of the file, or a status without a body.
    """
    if response.headers.get("Content-Type", "").lower().startswith("application/json"):
        body = response_body.read_all(response, response_body.CHUNK_BYTES)
        responses.unwrap(response.call, responses.parse_json(response.call, body), auth)
        raise Unreadable(response.call, "Cloudflare sent JSON instead of a file.", status=response.status)
    content_range = _content_range(response)
    is_whole = response.status == 200 or (
        response.status == 206
        and content_range is not None
        and content_range[0] == 0
        and content_range[1] + 1 == content_range[2]
    )
    if not is_whole:
        raise Unreadable(response.call, "Cloudflare did not send the whole file.", status=response.status)


def _content_range(response: Response) -> tuple[int, int, int] | None:
    """Return first byte, last byte and total size of Content-Range, None if it is absent, open or contradictory."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        return None
    first, last, total = (int(number) for number in match.groups())
    return (first, last, total) if first <= last < total else None


def _announced_size(response: Response) -> int | None:
    """Return the size of the whole file in bytes, None if the headers don't give it."""
    if response.status == 206:
        content_range = _content_range(response)
        return content_range[2] if content_range else None
    if response.headers.get("Transfer-Encoding"):
        return None  # a Content-Length beside it has no meaning (RFC 9112, 6.3)
    return coerce.count(response.headers.get("Content-Length", "").strip())
