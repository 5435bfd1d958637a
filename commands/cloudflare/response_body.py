"""Decoding of a response body with a limit on memory, so that a compression bomb can be stopped."""

import zlib
from collections.abc import Iterator

from commands.cloudflare.errors import TooLarge, Truncated, Unreadable
from commands.cloudflare.transport import Response

CHUNK_BYTES = 64 * 1024
_PLAIN = ("", "identity")
_ZLIB = ("gzip", "x-gzip", "deflate")


def is_encoded(response: Response) -> bool:
    return _encoding(response) not in _PLAIN


def read_all(response: Response, max_bytes: int) -> bytes:
    """Return the whole decoded body.

    Raises:
        TooLarge: the decoded body has more than `max_bytes` bytes.
        OutcomeUnknown: as `iter_chunks`.
    """
    chunks: list[bytes] = []
    size = 0
    for chunk in iter_chunks(response):
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge(response.call, f"Cloudflare's response is over {max_bytes} bytes.", status=response.status)
        chunks.append(chunk)
    return b"".join(chunks)


def iter_chunks(response: Response) -> Iterator[bytes]:
    """Return the decoded body in chunks of at most CHUNK_BYTES, so that a caller can stop at its own limit.

    Raises:
        Unreadable: the encoding is unsupported (raised at once) or the data does not match it.
        Truncated, DeadlineExceeded, OutcomeUnknown: the body ended early, or could not be read.
    """
    encoding = _encoding(response)
    if encoding in _PLAIN:
        return _iter_raw(response)
    if encoding in _ZLIB:
        return _iter_inflated(response)
    raise Unreadable(response.call, "Cloudflare's response has an encoding that was not requested.")


def _encoding(response: Response) -> str:
    return response.headers.get("Content-Encoding", "").strip().lower()


def _iter_raw(response: Response) -> Iterator[bytes]:
    while data := response.read(CHUNK_BYTES):
        yield data


def _iter_inflated(response: Response) -> Iterator[bytes]:
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: zlib detects a gzip or a zlib header
    for data in _iter_raw(response):
        rest, is_full = data, False
        # A full chunk means that zlib may hold more output, even when it has consumed all of its input.
        while (rest or is_full) and not decoder.eof:
            chunk = _inflate(response, decoder, rest)
            rest, is_full = decoder.unconsumed_tail, len(chunk) == CHUNK_BYTES
            if chunk:
                yield chunk
    if not decoder.eof:
        raise Truncated(response.call, "Cloudflare's encoded response ended too early.", status=response.status)


def _inflate(response: Response, decoder: "zlib._Decompress", data: bytes) -> bytes:
    failed = False
    try:
        chunk = decoder.decompress(data, CHUNK_BYTES)
    except zlib.error:
        chunk, failed = b"", True
    # Raised outside of the handler, so that the error carries no other exception as its context.
    if failed:
        raise Unreadable(response.call, "Cloudflare's response could not be decoded.", status=response.status)
    return chunk
