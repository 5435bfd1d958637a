"""Typed client of the Cloudflare DEX commands API, for one account and one credential.

The API is documented at https://developers.cloudflare.com/api/resources/zero_trust/subresources/dex/. Every method may
raise CloudflareError (see `errors` for its subclasses) and whatever the caller's `permit` raises. ValueError stands for
an argument that no caller may pass. Only `create` and `check_create_permission` send a POST, which is never retried.
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

from commands.cloudflare import coerce, dialects, downloads, paging, parsing, response_body, responses
from commands.cloudflare.auth import Auth
from commands.cloudflare.errors import OutcomeUnknown, Rejected, Unreadable
from commands.cloudflare.retries import Retries
from commands.cloudflare.transport import PreparedCall, Response, Transport
from commands.cloudflare.types import (
    Call,
    ClientLimits,
    CreateResult,
    Dialect,
    Json,
    ListedDevice,
    NewCommand,
    Page,
    QuotaReading,
)
from commands.rules.listed_command import ListedCommand

_ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,99}")
_RANDOM = SystemRandom().random


class Client:
    """Client of one account. Several threads may share it. As a context manager, it closes its connections.

    Args:
        base_url: Address of the API, for example `https://api.cloudflare.com/client/v4`.
        account_id: Cloudflare's id of the account.
        auth: Credential of every request.
        dialect: Form of the POST body that the account accepts. AUTO is replaced after the first success.
        limits: Time-outs, retries and sizes.
        permit: Called before each HTTP request, retries included. An exception from it stops the request.
        user_agent: Value of the User-Agent header.
        sleep: Waits between retries.
        random: Returns the jitter of the retries, from 0 to 1.

    Raises:
        ValueError: the address or the account id is malformed.
    """

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
            raise ValueError("The account id isn't valid: use at most 32 letters, digits, - and _.")
        self._account = f"{_valid_base_url(base_url)}/accounts/{account_id}/dex"
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
        """Close the connections that GETs share."""
        self._transport.close()

    def create(self, items: Sequence[NewCommand]) -> CreateResult:
        """Create 1 to 20 commands with one POST.

        While the dialect is AUTO, a 400 or 422 leads to a second POST in the legacy form. That creates nothing twice:
        these statuses mean that the first POST created nothing. Both POSTs share one deadline.

        Returns:
            The commands that Cloudflare names in its response, in its order. Some may be missing: for those the outcome
            is unknown.

        Raises:
            NotSent, Throttled, Refused, Rejected: nothing was created.
            OutcomeUnknown: some or all commands may have been created.
            ValueError: the number of commands is not 1 to 20.
        """
        if not 1 <= len(items) <= dialects.MAX_ITEMS:
            raise ValueError(f"One POST takes 1 to {dialects.MAX_ITEMS} commands, not {len(items)}.")
        deadline = time.monotonic() + self._limits.create_deadline
        first = Dialect.CURRENT if self._dialect is Dialect.AUTO else self._dialect
        try:
            return self._post(items, first, deadline)
        except Rejected as error:
            if not self._may_try_legacy(items, error):
                raise
            rejected = error
        try:
            return self._post(items, Dialect.LEGACY, deadline)
        except Rejected as error:
            problems = rejected.problems + error.problems
        # Outside of the handler, so that the error has no context. The message is that of the current form.
        raise Rejected(Call.CREATE, rejected.message, status=rejected.status, problems=problems)

    def check_create_permission(self) -> None:
        """Check if the credential may create commands, with a POST that holds no command.

        This relies on Cloudflare to check the permission before the body. Then every 2xx response means that the
        permission exists, and so does a 400 or 422 because of the empty list.

        Raises:
            Refused: the credential may not create commands.
            NotSent, Throttled, OutcomeUnknown: the permission is still unknown.
        """
        deadline = time.monotonic() + self._limits.create_deadline
        prepared = self._prepared_post(dialects.body((), Dialect.CURRENT), deadline)
        with suppress(Rejected, Unreadable):
            self._json(prepared)

    def list_commands(
        self,
        page: int,
        per_page: int = paging.MAX_PER_PAGE,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        device_id: str = "",
        user_email: str = "",
        kind: str = "",
        status: str = "",
    ) -> Page[ListedCommand]:
        """Return one page of the account's commands, with at most 50 rows.

        Args:
            page: Number of the page, from 1.
            per_page: Rows of a full page, 1 to 50.
            from_: Only commands created from this time on, rounded down to a whole second. It needs a time zone.
            to: Only commands created until this time, rounded up to a whole second. It needs a time zone.
            device_id: Only commands of this device.
            user_email: Only commands of this user.
            kind: Only commands of this kind.
            status: Only commands with this status.

        Raises:
            ValueError: a number is out of range, or a time has no zone.
        """
        filters = {
            "from": _timestamp(from_) if from_ else "",
            "to": _timestamp(to + timedelta(microseconds=999_999)) if to else "",
            "device_id": device_id,
            "user_email": user_email,
            "command_type": kind,
            "status": status,
        }
        params = paging.params(page, per_page, filters)
        result, date = self._get(Call.LIST, "commands", params)
        entries = parsing.rows(Call.LIST, result, "commands")
        return parsing.page(entries, parsing.listed_command, page, per_page, date)

    def iter_commands(
        self,
        *,
        first: int = 1,
        per_page: int = paging.MAX_PER_PAGE,
        from_: datetime | None = None,
        to: datetime | None = None,
        device_id: str = "",
        user_email: str = "",
        kind: str = "",
        status: str = "",
    ) -> Iterator[Page[ListedCommand]]:
        """Yield pages of the account's commands, from page `first` to the last one. Filters as in `list_commands`.

        New commands move rows to later pages while this listing is read, so a row may come twice.

        Raises:
            TooManyPages: there are more than `limits.max_pages` pages. The pages up to this number were yielded.
        """

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

        return paging.pages(Call.LIST, fetch, lambda row: row.id or row, first=first, most=self._limits.max_pages)

    def list_devices(self, page: int, per_page: int = paging.MAX_PER_PAGE, search: str = "") -> Page[ListedDevice]:
        """Return one page of the registrations seen in the last hour. `search` is a device name or an email.

        Raises:
            ValueError: `page` or `per_page` is out of range.
        """
        params = paging.params(page, per_page, {"search": search})
        result, date = self._get(Call.DEVICES, "commands/devices", params)
        entries = parsing.rows(Call.DEVICES, result, "devices")
        return parsing.page(entries, parsing.listed_device, page, per_page, date)

    def iter_devices(
        self, *, first: int = 1, per_page: int = paging.MAX_PER_PAGE, search: str = ""
    ) -> Iterator[Page[ListedDevice]]:
        """Yield pages of registrations, from page `first` to the last one. Raises TooManyPages like `iter_commands`."""
        return paging.pages(
            Call.DEVICES,
            lambda number: self.list_devices(number, per_page, search),
            lambda row: (row.device_id, row.registration_id, row.user_email),
            first=first,
            most=self._limits.max_pages,
        )

    def quota(self) -> QuotaReading:
        """Return the account's daily quota of commands."""
        result, date = self._get(Call.QUOTA, "commands/quota", {})
        return parsing.quota(Call.QUOTA, result, date)

    def analysis(self, command_id: str) -> Json:
        """Return Cloudflare's own findings in a warp-diag, as JSON of undocumented shape.

        Raises:
            NotFound: there are none. Cloudflare does not document this endpoint, and may remove it.
        """
        path = f"commands/{_path_segment(Call.ANALYSIS, command_id)}/analysis"
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
        """Open the result file of a command, and close it at the end of the block.

        Args:
            command_id: Cloudflare's id of the command.
            filename: File name as Cloudflare listed it, which may be a path or a URL. Only its last segment is used.
            device_id: If given, an undocumented URL with this device is tried after a NotFound.
            offset: Bytes of the file that the caller already has.
            etag: Strong ETag that came with those bytes. Without one, the file starts at 0 again.
            total: Size of the whole file that came with those bytes.

        Raises:
            NotFound: no URL has the file.
            TooLarge: the announced size is over `limits.max_artifact_bytes`.
            ReportedFailure, Unreadable: the response is not a file.
        """
        deadline = time.monotonic() + self._limits.download_deadline
        command = _path_segment(Call.DOWNLOAD, command_id)
        name = coerce.safe_filename(filename) or f"{command}.zip"
        urls = [f"{self._account}/commands/{command}/downloads/{quote(name, safe='')}"]
        if device_id:
            device = _path_segment(Call.DOWNLOAD, device_id)
            urls.append(f"{self._account}/devices/{device}/commands/downloads/{command}.zip")
        resume = downloads.Resume(offset, etag, total)

        def send(url: str, headers: Mapping[str, str]) -> Response:
            prepared = PreparedCall(call=Call.DOWNLOAD, url=url, deadline=deadline, headers=headers)
            return self._retries.run(deadline, lambda: self._open(prepared))

        response, starts_at = downloads.open_file(send, urls, resume)
        try:
            if starts_at == 0:
                downloads.check_is_whole_file(response, self._auth)
            yield downloads.Download(response, starts_at, self._limits.max_artifact_bytes)
        finally:
            response.close()

    def _may_try_legacy(self, items: Sequence[NewCommand], error: Rejected) -> bool:
        is_auto = self._dialect is Dialect.AUTO
        return is_auto and error.status in (400, 422) and dialects.can_express(items, Dialect.LEGACY)

    def _post(self, items: Sequence[NewCommand], dialect: Dialect, deadline: float) -> CreateResult:
        if not dialects.can_express(items, dialect):
            raise Rejected(Call.CREATE, "Not sent: this account uses the older request form, which lacks this command.")
        value, date = self._json(self._prepared_post(dialects.body(items, dialect), deadline))
        result = responses.unwrap(Call.CREATE, value, self._auth)
        entries = parsing.rows(Call.CREATE, result, "commands")
        self._dialect = dialect
        created = tuple(parsing.created(entry) for entry in entries if isinstance(entry, dict))
        return CreateResult(created=created, dialect=dialect, date=date)

    def _prepared_post(self, body: bytes, deadline: float) -> PreparedCall:
        return PreparedCall(
            call=Call.CREATE,
            url=f"{self._account}/commands",
            deadline=deadline,
            headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"},
            body=body,
        )

    def _get(
        self, call: Call, path: str, params: Mapping[str, str], *, bare: bool = False
    ) -> tuple[Json, datetime | None]:
        """Return the `result` of a GET and the time of Cloudflare's clock.

        `bare`: the response may have no envelope. Then all of it is the result.
        """
        deadline = time.monotonic() + self._limits.deadline
        prepared = PreparedCall(
            call=call,
            url=f"{self._account}/{path}",
            deadline=deadline,
            params=params,
            headers={"Accept-Encoding": "gzip"},
        )
        value, date = self._retries.run(deadline, lambda: self._json(prepared))
        if bare and not (isinstance(value, dict) and "success" in value):
            return value, date
        return responses.unwrap(call, value, self._auth), date

    def _json(self, prepared: PreparedCall) -> tuple[Json, datetime | None]:
        """Send a request once. Return the JSON of its 2xx response and the time of Cloudflare's clock."""
        response = self._open(prepared)
        try:
            body = response_body.read_all(response, self._limits.max_response_bytes)
        finally:
            response.close()
        if not body:
            # A response that was cut within its headers arrives like this too, so a GET may be retried.
            raise OutcomeUnknown(prepared.call, "Cloudflare's response was empty.", status=response.status)
        return responses.parse_json(prepared.call, body), coerce.response_date(response.headers)

    def _open(self, prepared: PreparedCall) -> Response:
        """Send a request once and return its 2xx response, whose body is not yet read."""
        if self._permit is not None:
            self._permit(prepared.call)
        response = self._transport.open(prepared)
        error = responses.error_for_status(response, self._auth)
        if error is not None:
            response.close()
            raise error
        return response


def _valid_base_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("The address of the API must have the form http(s)://host/path.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("The address of the API must not contain a user name or password.")
    return base_url.rstrip("/")


def _path_segment(call: Call, value: str) -> str:
    """Check that an id is a single path segment. It came from a response, and must not lead to another address."""
    if not _SEGMENT.fullmatch(value):
        raise Rejected(call, "Not sent: this id can't be part of an address.")
    return value


def _timestamp(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("A time without a time zone can't be sent to Cloudflare.")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
