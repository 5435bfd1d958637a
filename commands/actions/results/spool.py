"""Spool files: downloads in progress, one file an artifact, and the check of a complete one.

The spool outlives a worker, so that the next attempt continues where the last one stopped.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from django.conf import settings

from commands.artifacts import bundle
from commands.models import Artifact


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """Complete and readable zip. `stored_at` is set if the file was found in the storage already."""

    spool: Path
    size: int  # bytes
    sha256: str
    members: tuple[str, ...]
    stored_at: datetime | None = None


def spool_path(artifact: Artifact) -> Path:
    return Path(settings.SPOOL_DIR) / f"{artifact.id}.part"


def resumable_bytes(artifact: Artifact) -> int:
    """Return how many bytes of the spool the next attempt may keep."""
    path = spool_path(artifact)
    return path.stat().st_size if artifact.etag and path.exists() else 0


def verify_spool(path: Path) -> VerifiedFile:
    """Verify the spool file. Raises InvalidZip, and deletes the spool then."""
    try:
        with path.open("rb") as spool:
            return verify(spool, path)
    except bundle.InvalidZip:
        path.unlink()
        raise


def verify(file: IO[bytes], spool: Path) -> VerifiedFile:
    """Read the whole file: member names, size and SHA-256. Raises InvalidZip."""
    members = bundle.verified_names(file)
    size = file.seek(0, 2)
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(bundle.CHUNK):
        digest.update(piece)
    return VerifiedFile(spool, size, digest.hexdigest(), members)
