"""The body of an answer, decoded and within bounds."""

import zlib
from collections.abc import Iterator

from commands.cloudflare.errors import TooLarge, Truncated, Unreadable
from commands.cloudflare.transport import Response

CHUNK_BYTES = 64 * 1024
_PLAIN = ("", "identity")
_ZLIB = ("gzip", "x-gzip", "deflate")


def is_encoded(answer: Response) -> bool:
    return _encoding(answer) not in _PLAIN


def read_all(answer: Response, cap: int) -> bytes:
    """All of the decoded body. Raises TooLarge over `cap` bytes, Truncated, Unreadable, OutcomeUnknown."""
    parts: list[bytes] = []
    size = 0
    for piece in iter_chunks(answer):
        size += len(piece)
        if size > cap:
            raise TooLarge(answer.call, f"Cloudflare's answer is over {cap} bytes.", status=answer.status)
        parts.append(piece)
    return b"".join(parts)


def iter_chunks(answer: Response) -> Iterator[bytes]:
    """The decoded body in pieces of at most CHUNK_BYTES bytes, so that a bomb can be stopped by its reader."""
    encoding = _encoding(answer)
    if encoding in _PLAIN:
        return _raw(answer)
    if encoding in _ZLIB:
        return _inflated(answer)
    raise Unreadable(answer.call, "Cloudflare's answer has an encoding that was not asked for.")


def _encoding(answer: Response) -> str:
    return answer.headers.get("Content-Encoding", "").strip().lower()


def _raw(answer: Response) -> Iterator[bytes]:
    while data := answer.read(CHUNK_BYTES):
        yield data


def _inflated(answer: Response) -> Iterator[bytes]:
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its header
    for data in _raw(answer):
        rest, full = data, False
        while (rest or full) and not decoder.eof:
            piece = _step(answer, decoder, rest)
            rest, full = decoder.unconsumed_tail, len(piece) == CHUNK_BYTES  # full: there may be more inside
            if piece:
                yield piece
    if not decoder.eof:
        raise Truncated(answer.call, "Cloudflare's encoded answer ended too early.", status=answer.status)


def _step(answer: Response, decoder: "zlib._Decompress", data: bytes) -> bytes:
    failed = False
    try:
        piece = decoder.decompress(data, CHUNK_BYTES)
    except zlib.error:
        piece, failed = b"", True
    if failed:
        raise Unreadable(answer.call, "Cloudflare's answer could not be decoded.", status=answer.status)
    return piece
