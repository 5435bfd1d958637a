"""Check of a downloaded zip before it is stored, and the names of its members.

A zip passes when its directory can be read, every member matches its checksum, and no limit is exceeded. The limits
matter because a zip bomb of a few kilobytes can unpack to gigabytes. This module writes nothing to disk and holds at
most one chunk of a member in memory.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO

from commands.rules.artifact_reasons import ArtifactReason

CHUNK = 1024 * 1024
END = struct.Struct("<4s4H2LH")  # end of central directory record, PKWARE APPNOTE 4.3.16
END_SIGNATURE, END64_SIGNATURE = b"PK\x05\x06", b"PK\x06\x07"
LOCATOR_SIZE = 20
COMMENT_MAX = 0xFFFF
# zipfile sets no limit on how much one read of a bzip2 or LZMA member decompresses.
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

# zipfile raises RuntimeError for an encrypted member, and NotImplementedError for a feature that it lacks.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class InvalidZip(Exception):
    """File that must not be stored as a result."""

    def __init__(self, reason: ArtifactReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """Limits of one zip. `members` and `directory` bound the cost of opening it, `unpacked` that of reading it."""

    members: int = 10_000
    directory: int = 2 * 1024 * 1024  # bytes of the central directory
    unpacked: int = 2 * 1024 * 1024 * 1024  # bytes of all members together


def verified_names(file: IO[bytes], limits: ZipLimits | None = None) -> tuple[str, ...]:
    """Read every member of a zip to its end and return the member names, in the order of the directory.

    The file stays open, at an undefined position.

    Raises:
        InvalidZip: the zip is damaged, encrypted, compressed with an unsupported method or over a limit.
    """
    limits = limits or ZipLimits()
    _check_directory_size(file, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(member.compress_type not in METHODS for member in members):
                raise InvalidZip(ArtifactReason.ZIP_COMPRESSION)
            left = limits.unpacked
            for member in members:
                left -= _read(archive, member, left)
            return tuple(member.filename for member in members)
    except _UNREADABLE as error:
        raise InvalidZip(ArtifactReason.ZIP_UNREADABLE) from error


def _check_directory_size(file: IO[bytes], limits: ZipLimits) -> None:
    """Check the announced size of the central directory, because zipfile loads the whole directory into memory.

    Zip64 archives are rejected too: they announce their size in another record, which this function doesn't read.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - END.size - COMMENT_MAX - LOCATOR_SIZE))
    tail = file.read()
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END.size:
        raise InvalidZip(ArtifactReason.ZIP_INCOMPLETE)
    _, _, _, _, members, directory, _, _ = END.unpack_from(tail, at)
    is_zip64 = tail[max(0, at - LOCATOR_SIZE) : at].startswith(END64_SIGNATURE)
    if members > limits.members or directory > limits.directory or is_zip64:
        raise InvalidZip(ArtifactReason.ZIP_TOO_MANY_FILES)


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Return the unpacked size of a member, at most `left` bytes. zipfile compares the checksum at the last byte."""
    size = 0
    with archive.open(member) as unpacked:
        while chunk := unpacked.read(CHUNK):
            size += len(chunk)
            if size > left:
                raise InvalidZip(ArtifactReason.ZIP_UNPACKS_TOO_LARGE)
    return size
