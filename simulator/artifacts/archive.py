"""Reproducible zips."""

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime


def build_zip(files: Mapping[str, bytes], *, at: datetime) -> bytes:
    """Build a zip whose bytes depend only on the files and the instant."""
    moment = at.astimezone(UTC)
    # the zip format knows no year before 1980
    timestamp = (max(moment.year, 1980), moment.month, moment.day, moment.hour, moment.minute, moment.second)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, timestamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever system runs the simulator
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()
