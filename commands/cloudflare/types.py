"""Values that go into the client and come out of it: frozen, without behaviour and without HTTP.

Absent text is '', an absent time or number is None. Times are in UTC. Ids, emails and kinds from Cloudflare are trimmed
and lower-case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Option = int | bool | str | Sequence[str]


class Call(StrEnum):
    """Operations of the API, by which the caller's `permit` and an error tell requests apart."""

    CREATE = "create"
    LIST = "list"
    DEVICES = "devices"
    QUOTA = "quota"
    DOWNLOAD = "download"
    ANALYSIS = "analysis"


class Dialect(StrEnum):
    """Form of the POST body: CURRENT has `type` and `args`, LEGACY has `command_type` and `command_args`.

    AUTO: the client tries CURRENT, then LEGACY, and stays with the one that succeeds.
    """

    AUTO = "auto"
    CURRENT = "current"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Limits of each call. Times are in seconds, sizes in bytes after decoding.

    A deadline covers a call with all its retries. Each page of a listing is a call of its own. DNS resolution can't be
    interrupted and may take longer, but no request is sent after the deadline.
    """

    connect_timeout: float = 5
    read_timeout: float = 20
    deadline: float = 45
    create_deadline: float = 30
    download_deadline: float = 900
    tries: int = 3  # of a GET, the first one included
    backoff: float = 0.5  # longest pause before the second try, doubled for each further try
    max_backoff: float = 8
    max_retry_after: float = 10  # a longer Retry-After is left to the caller
    max_response_bytes: int = 8 * 1024 * 1024
    max_artifact_bytes: int = 256 * 1024 * 1024
    max_pages: int = 2000


_CREDENTIAL_CODES = frozenset({6003, *range(6100, 6112), 9103, 9106, 9109, 10000, 10001})


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of Cloudflare's `errors`.

    Attributes:
        pointer: JSON pointer to the field that caused it, or ''.
        chain: Cloudflare's `error_chain`, the more exact causes of this problem.
    """

    code: int
    message: str
    pointer: str = ""
    chain: tuple["Problem", ...] = ()

    @property
    def all(self) -> tuple["Problem", ...]:
        """This problem, and every problem of its chain."""
        return (self, *(problem for cause in self.chain for problem in cause.all))

    @property
    def names_credential(self) -> bool:
        """Tell whether Cloudflare complains about the token or key, whatever the HTTP status is."""
        return any(problem.code in _CREDENTIAL_CODES for problem in self.all)


@dataclass(frozen=True, slots=True)
class NewCommand:
    """Command to create. The keys of `options` are hyphenated, as in the API (`time-limit-min`)."""

    device_id: str
    kind: str
    user_email: str
    registration_id: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Created:
    """Command in the response of a POST. `args` are Cloudflare's arguments as text, sorted by name."""

    id: str
    kind: str
    status: str
    device_id: str
    registration_id: str
    args: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CreateResult:
    """Result of a POST: the created commands, the dialect that succeeded, and the time of Cloudflare's clock."""

    created: tuple[Created, ...]
    dialect: Dialect
    date: datetime | None


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """Registration of a device in a listing. A device that several people use has several.

    Device id, registration id and email come from one row, so they belong together. `eligible` is None if Cloudflare
    did not send it.
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
    """Daily quota of commands, as Cloudflare reports it.

    `total` is documented as the total of a day, but older documentation calls it the remaining number.
    """

    total: int | None
    used: int | None
    reset_at: datetime | None
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """One page of a listing, with the time of Cloudflare's clock.

    `short`: the page has fewer entries than requested, so it is the last one. `unreadable`: number of entries that are
    not JSON objects, and so are missing in `rows`.
    """

    number: int
    rows: tuple[Row, ...]
    short: bool
    unreadable: int
    date: datetime | None
