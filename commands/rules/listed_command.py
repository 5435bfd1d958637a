"""Row of Cloudflare's list of commands."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ListedCommand:
    """One command as Cloudflare lists it.

    `status` is Cloudflare's word as it came, and `filename` a safe last segment. Ids, emails and kinds are trimmed and
    lower case. Absent text is '', an absent time None.
    """

    id: str
    kind: str
    status: str
    device_id: str
    registration_id: str = ""
    user_email: str = ""
    created_date: datetime | None = None
    completed_date: datetime | None = None
    filename: str = ""
