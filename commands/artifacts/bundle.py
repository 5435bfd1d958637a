"""Is this zip whole, and what does it hold? With limits, for a bomb of a kilobyte looks as small as any other file.

Owns the check that comes before a file is kept: the directory reads, every member's checksum is right, and nothing is
larger than it may be. Must not unpack to disk, and gives no member more memory than a chunk.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO

CHUNK = 1024 * 1024
END = struct.Struct("<4s4H2LH")  # the end of the directory, as PKWARE's APPNOTE 4.3.16 has it
END_SIGNATURE, END64_SIGNATURE = b"PK\x05\x06", b"PK\x06\x07"
LOCATOR_SIZE = 20
COMMENT_MAX = 0xFFFF
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # the others inflate without a bound

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class InvalidZip(Exception):
    """Not a zip that can be kept; the words say why."""


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """`members` and `directory` (bytes) bound what opening it takes; `unpacked` (bytes) what checking it takes."""

    members: int = 10_000
    directory: int = 2 * 1024 * 1024
    unpacked: int = 2 * 1024 * 1024 * 1024


def verified_names(file: IO[bytes], limits: ZipLimits | None = None) -> tuple[str, ...]:
    """The names of a whole zip's members, in their order; raises InvalidZip. The file is left open, anywhere in it."""
    limits = limits or ZipLimits()
    _check_directory_size(file, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(member.compress_type not in METHODS for member in members):
                raise InvalidZip("The zip is packed in a way that is not read here.")
            left = limits.unpacked
            for member in members:
                left -= _read(archive, member, left)
            return tuple(member.filename for member in members)
    except _DAMAGED as error:
        raise InvalidZip("It is not a readable zip, or a file in it is damaged.") from error


def _check_directory_size(file: IO[bytes], limits: ZipLimits) -> None:
    """Before the directory is read at all: it says itself how large it is."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END.size - COMMENT_MAX - LOCATOR_SIZE))
    tail = file.read()
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END.size:
        raise InvalidZip("It is not a readable zip: its end is missing.")
    _, _, _, _, members, directory, _, _ = END.unpack_from(tail, at)
    is_large_form = tail[max(0, at - LOCATOR_SIZE) : at].startswith(END64_SIGNATURE)  # no result needs it
    if members > limits.members or directory > limits.directory or is_large_form:
        raise InvalidZip("The zip has more files in it than any result has.")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Its size, as read; the checksum is compared at its end."""
    gone = 0
    with archive.open(member) as packed:
        while chunk := packed.read(CHUNK):
            gone += len(chunk)
            if gone > left:
                raise InvalidZip("What is in the zip is larger than any result.")
    return gone
