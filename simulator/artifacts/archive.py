"""Writes a zip whose bytes depend on nothing but its files and one instant."""

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime


def pack(files: Mapping[str, bytes], *, at: datetime) -> bytes:
    moment = at.astimezone(UTC)
    stamp = (max(moment.year, 1980), moment.month, moment.day, moment.hour, moment.minute, moment.second)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same bytes whichever system runs the simulator
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()
