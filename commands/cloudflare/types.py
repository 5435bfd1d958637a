"""What goes into the client and what comes out of it: frozen values, no behaviour, no HTTP.

Absent text is '', an absent time or number None. Ids, emails and kinds are trimmed and lower-case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Option = int | bool | str | Sequence[str]


class Call(StrEnum):
    """The acts that a rate budget can tell apart."""

    CREATE = "create"
    LIST = "list"
    DEVICES = "devices"
    QUOTA = "quota"
    DOWNLOAD = "download"
    ANALYSIS = "analysis"


class Dialect(StrEnum):
    """The form of the body of a POST: `type` + `args`, or `command_type` + `command_args`."""

    AUTO = "auto"
    CURRENT = "current"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Bounds of every call; times in seconds, sizes in bytes.

    A deadline is the total for one call with its retries (a page of a listing is a call); the resolution
    of a name cannot be interrupted, but nothing is sent after the deadline.
    """

    connect_timeout: float = 5
    read_timeout: float = 20
    deadline: float = 45
    create_deadline: float = 30
    download_deadline: float = 900
    tries: int = 3
    backoff: float = 0.5
    max_backoff: float = 8
    max_retry_after: float = 10
    max_answer_bytes: int = 8 * 1024 * 1024
    max_artifact_bytes: int = 256 * 1024 * 1024
    max_pages: int = 2000


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of Cloudflare's `errors`; `pointer` names the field of the request, if Cloudflare said."""

    code: int
    message: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class NewCommand:
    """One command to create; `options` have the wire's hyphenated keys."""

    device_id: str
    kind: str
    user_email: str
    registration_id: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Created:
    """One command as the answer of a POST names it; `args` is Cloudflare's map of strings, sorted."""

    id: str
    kind: str
    status: str
    device_id: str
    registration_id: str
    args: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CreateResult:
    """The answer of a POST: `dialect` is the one that worked, `date` Cloudflare's clock."""

    created: tuple[Created, ...]
    dialect: Dialect
    date: datetime | None


@dataclass(frozen=True, slots=True)
class ListedCommand:
    """One row of the listing; `status` is Cloudflare's word as it came, `filename` a safe last segment."""

    id: str
    kind: str
    status: str
    device_id: str
    registration_id: str
    user_email: str
    created_date: datetime | None
    completed_date: datetime | None
    filename: str


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """One registration that Cloudflare listed; device, registration and email belong together.

    `eligible` is None where Cloudflare did not say.
    """

    device_id: str
    registration_id: str
    user_email: str
    name: str
    platform: str
    version: str
    status: str
    eligible: bool | None
    ineligible_reason: str
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class QuotaReading:
    """Commands a day: `total` may be what is left in answers of the older form."""

    total: int | None
    used: int | None
    reset_at: datetime | None
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """One page of a listing.

    `short`: it had fewer rows than asked for, so it is the last. `unreadable`: rows that were no objects
    and are not among `rows`.
    """

    number: int
    rows: tuple[Row, ...]
    short: bool
    unreadable: int
    date: datetime | None
