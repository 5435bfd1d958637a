"""The Cloudflare DEX commands API, typed. One client speaks for one account with one credential.

Every method raises CloudflareError and its kinds (`errors.py`), ValueError for what no caller may ask, and
whatever `permit` raises, which is called before every single HTTP request.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

from commands.cloudflare import coerce, dialects, downloads, parsing, response_body, responses
from commands.cloudflare.auth import Auth
from commands.cloudflare.errors import OutcomeUnknown, Rejected, TooManyPages, Unreadable
from commands.cloudflare.retries import Retries
from commands.cloudflare.transport import PreparedCall, Response, Transport
from commands.cloudflare.types import (
    Call,
    ClientLimits,
    CreateResult,
    Dialect,
    Json,
    ListedCommand,
    ListedDevice,
    NewCommand,
    Page,
    QuotaReading,
)

_ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,99}")
_MAX_PER_PAGE = 50
_RANDOM = SystemRandom().random


class Client:
    """`dialect` is the one that the account is known to speak, or AUTO until its first success."""

    def __init__(
        self,
        base_url: str,
        account_id: str,
        auth: Auth,
        *,
        dialect: Dialect = Dialect.AUTO,
        limits: ClientLimits | None = None,
        permit: Callable[[Call], None] | None = None,
        user_agent: str = "dexportal",
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _RANDOM,
    ) -> None:
        if not _ACCOUNT.fullmatch(account_id):
            raise ValueError("The account id is not one: at most 32 letters, digits, - and _.")
        self._account = f"{_checked_base(base_url)}/accounts/{account_id}/dex"
        self._dialect = dialect
        self._limits = limits or ClientLimits()
        self._permit = permit
        self._auth = auth
        self._transport = Transport(auth, self._limits, user_agent)
        self._retries = Retries(self._limits, sleep, random)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that GETs share."""
        self._transport.close()

    def create(self, items: Sequence[NewCommand]) -> CreateResult:
        """One POST, never tried again: but while the dialect is AUTO, a 400 or 422 tries the other one once."""
        if not 1 <= len(items) <= dialects.MAX_ITEMS:
            raise ValueError(f"A POST takes 1 to {dialects.MAX_ITEMS} commands, not {len(items)}.")
        deadline = time.monotonic() + self._limits.create_deadline
        first = Dialect.CURRENT if self._dialect is Dialect.AUTO else self._dialect
        try:
            return self._post(items, first, deadline)
        except Rejected as error:
            if not self._may_switch(items, error):
                raise
            rejected = error
        try:
            return self._post(items, Dialect.LEGACY, deadline)
        except Rejected as error:
            problems = rejected.problems + error.problems
        raise Rejected(Call.CREATE, rejected.message, status=rejected.status, problems=problems)

    def check_create_permission(self) -> None:
        """One POST without a command: nothing is created, but who may not create at all is Refused."""
        ask = PreparedCall(
            call=Call.CREATE,
            url=f"{self._account}/commands",
            deadline=time.monotonic() + self._limits.create_deadline,
            headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"},
            body=dialects.body((), Dialect.CURRENT),
        )
        with suppress(Rejected, Unreadable):  # it was read, so it may be sent
            self._json(ask)

    def list_commands(
        self,
        page: int,
        per_page: int = _MAX_PER_PAGE,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        device_id: str = "",
        user_email: str = "",
        kind: str = "",
        status: str = "",
    ) -> Page[ListedCommand]:
        """One page. Times must be aware; they are sent in whole seconds, rounded outwards."""
        filters = {
            "from": _stamp(from_) if from_ else "",
            "to": _stamp(to + timedelta(microseconds=999_999)) if to else "",
            "device_id": device_id,
            "user_email": user_email,
            "command_type": kind,
            "status": status,
        }
        params = _paged(page, per_page) | _given(filters)
        result, date = self._get(Call.LIST, "commands", params)
        found = parsing.rows(Call.LIST, result, "commands")
        return parsing.page(found, parsing.listed_command, page, per_page, date)

    def iter_commands(
        self,
        *,
        first: int = 1,
        per_page: int = _MAX_PER_PAGE,
        from_: datetime | None = None,
        to: datetime | None = None,
        device_id: str = "",
        user_email: str = "",
        kind: str = "",
        status: str = "",
    ) -> Iterator[Page[ListedCommand]]:
        """The pages from the `first` to a short one. Raises TooManyPages instead of a page over `limits.max_pages`."""

        def fetch(number: int) -> Page[ListedCommand]:
            return self.list_commands(
                number,
                per_page,
                from_=from_,
                to=to,
                device_id=device_id,
                user_email=user_email,
                kind=kind,
                status=status,
            )

        return self._pages(Call.LIST, fetch, lambda row: row.id or row, first)

    def list_devices(self, page: int, per_page: int = _MAX_PER_PAGE, search: str = "") -> Page[ListedDevice]:
        """One page of the registrations seen in the last hour; `search` is a name or an email."""
        params = _paged(page, per_page) | _given({"search": search})
        result, date = self._get(Call.DEVICES, "commands/devices", params)
        found = parsing.rows(Call.DEVICES, result, "devices")
        return parsing.page(found, parsing.listed_device, page, per_page, date)

    def iter_devices(
        self, *, first: int = 1, per_page: int = _MAX_PER_PAGE, search: str = ""
    ) -> Iterator[Page[ListedDevice]]:
        """As iter_commands()."""
        return self._pages(
            Call.DEVICES,
            lambda number: self.list_devices(number, per_page, search),
            lambda row: (row.device_id, row.registration_id, row.user_email),
            first,
        )

    def quota(self) -> QuotaReading:
        result, date = self._get(Call.QUOTA, "commands/quota", {})
        return parsing.quota(Call.QUOTA, result, date)

    def analysis(self, command_id: str) -> Json:
        """Cloudflare's own findings in a warp-diag, of unknown shape (unpublished; may be a NotFound)."""
        path = f"commands/{_segment(Call.ANALYSIS, command_id)}/analysis"
        result, _ = self._get(Call.ANALYSIS, path, {}, bare=True)
        return result

    @contextmanager
    def download(
        self,
        command_id: str,
        filename: str,
        *,
        device_id: str = "",
        offset: int = 0,
        etag: str = "",
        total: int | None = None,
    ) -> Iterator[downloads.Download]:
        """The file of a command, open. `offset`, `etag` and `total` are those of an earlier part of it.

        `filename` is whatever Cloudflare listed; with `device_id` a NotFound asks the unpublished address too.
        """
        deadline = time.monotonic() + self._limits.download_deadline
        command = _segment(Call.DOWNLOAD, command_id)
        name = coerce.safe_filename(filename) or f"{command}.zip"
        urls = [f"{self._account}/commands/{command}/downloads/{quote(name, safe='')}"]
        if device_id:
            device = _segment(Call.DOWNLOAD, device_id)
            urls.append(f"{self._account}/devices/{device}/commands/downloads/{command}.zip")
        resume = downloads.Resume(offset, etag, total)

        def ask(url: str, headers: Mapping[str, str]) -> Response:
            request = PreparedCall(call=Call.DOWNLOAD, url=url, deadline=deadline, headers=headers)
            return self._retries.run(deadline, lambda: self._open(request))

        answer, starts_at = downloads.opened(ask, urls, resume)
        try:
            if starts_at == 0:
                downloads.checked(answer, self._auth)
            yield downloads.Download(answer, starts_at, self._limits.max_artifact_bytes)
        finally:
            answer.close()

    def _may_switch(self, items: Sequence[NewCommand], error: Rejected) -> bool:
        return (
            self._dialect is Dialect.AUTO and error.status in (400, 422) and dialects.can_express(items, Dialect.LEGACY)
        )

    def _post(self, items: Sequence[NewCommand], dialect: Dialect, deadline: float) -> CreateResult:
        if not dialects.can_express(items, dialect):
            raise Rejected(Call.CREATE, "This account speaks the older form, which has no such command.")
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        ask = PreparedCall(
            call=Call.CREATE,
            url=f"{self._account}/commands",
            deadline=deadline,
            headers=headers,
            body=dialects.body(items, dialect),
        )
        value, date = self._json(ask)
        result = responses.unwrap(Call.CREATE, value, self._auth)
        found = parsing.rows(Call.CREATE, result, "commands")
        self._dialect = dialect
        created = tuple(parsing.created(entry) for entry in found if isinstance(entry, dict))
        return CreateResult(created=created, dialect=dialect, date=date)

    def _get(
        self, call: Call, path: str, params: Mapping[str, str], *, bare: bool = False
    ) -> tuple[Json, datetime | None]:
        """What is in the envelope; `bare`: the answer may come without one."""
        deadline = time.monotonic() + self._limits.deadline
        ask = PreparedCall(
            call=call,
            url=f"{self._account}/{path}",
            deadline=deadline,
            params=params,
            headers={"Accept-Encoding": "gzip"},
        )
        value, date = self._retries.run(deadline, lambda: self._json(ask))
        if bare and not (isinstance(value, dict) and "success" in value):
            return value, date
        return responses.unwrap(call, value, self._auth), date

    def _json(self, ask: PreparedCall) -> tuple[Json, datetime | None]:
        answer = self._open(ask)
        try:
            body = response_body.read_all(answer, self._limits.max_answer_bytes)
        finally:
            answer.close()
        if not body:  # also what is left of an answer that was cut in its headers
            raise OutcomeUnknown(ask.call, "Cloudflare's answer was empty.", status=answer.status)
        return responses.parse_json(ask.call, body), coerce.response_date(answer.headers)

    def _open(self, ask: PreparedCall) -> Response:
        """An answer of 2xx, its body not yet read."""
        if self._permit is not None:
            self._permit(ask.call)
        answer = self._transport.open(ask)
        error = responses.error_for_status(answer, self._auth)
        if error is not None:
            answer.close()
            raise error
        return answer

    def _pages[Row](
        self, call: Call, fetch: Callable[[int], Page[Row]], key: Callable[[Row], object], first: int
    ) -> Iterator[Page[Row]]:
        """Never by total_count, which counts without the filters.

        A page that brings nothing new is not the end: as many rows may have come before it as a page has, while the one
        before was read. Two in a row are: a server that repeats a page would repeat it for ever.
        """
        seen: set[object] = set()
        was_new = True
        for number in range(first, self._limits.max_pages + 1):
            page = fetch(number)
            keys = {key(row) for row in page.rows}
            is_new = not keys or not keys <= seen
            if not (is_new or was_new):
                return
            was_new = is_new
            seen |= keys
            yield page
            if page.short:
                return
        raise TooManyPages(call, f"The listing did not end within {self._limits.max_pages} pages.")


def _checked_base(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("The address of the API must be http(s)://host/path.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("The address of the API must not carry a name or a password.")
    return base_url.rstrip("/")


def _segment(call: Call, value: str) -> str:
    """An id as a part of an address: it comes from an answer, and must not lead anywhere else."""
    if not _SEGMENT.fullmatch(value):
        raise Rejected(call, "Not asked: the id cannot be a part of an address.")
    return value


def _paged(page: int, per_page: int) -> dict[str, str]:
    if page < 1 or not 1 <= per_page <= _MAX_PER_PAGE:
        raise ValueError(f"A page is 1 or more, and has 1 to {_MAX_PER_PAGE} rows.")
    return {"page": str(page), "per_page": str(per_page)}


def _given(filters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value}


def _stamp(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("A time without a zone means nothing to Cloudflare.")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
