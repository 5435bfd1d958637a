"""Reading of an HTTP response: the `result` of Cloudflare's envelope, or the matching CloudflareError."""

import json
import math
from typing import NoReturn

from commands.cloudflare import coerce, response_body
from commands.cloudflare.auth import Auth
from commands.cloudflare.errors import (
    CloudflareError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    Refused,
    Rejected,
    ReportedFailure,
    Throttled,
    Unreadable,
)
from commands.cloudflare.transport import Response
from commands.cloudflare.types import Call, Json, Problem

_MAX_ERROR_BYTES = 64 * 1024
_MAX_PROBLEMS = 20
_MAX_DEPTH = 40


def error_for_status(response: Response, auth: Auth) -> CloudflareError | None:
    """Return None for a 2xx response, else the error that its status stands for.

    The body of an error response adds Cloudflare's messages. A code in it that names the credential turns a rejected
    request into a refused credential. It never tells that something was created, or that nothing was.
    """
    if 200 <= response.status < 300:
        return None
    error_type, summary = _classify(response.status)
    problems = _problems(_error_body(response), auth)
    if error_type in (Rejected, NotFound) and any(problem.names_credential for problem in problems):
        error_type, summary = Refused, "Cloudflare refused the credential"
    return error_type(
        response.call,
        _message(f"{summary} (HTTP {response.status})", problems),
        status=response.status,
        problems=problems,
        retry_after=coerce.retry_after(response.headers),
    )


def _classify(status: int) -> tuple[type[CloudflareError], str]:
    """Return the error type of a status outside 2xx, and a summary for its message.

    408, 409, 425 and 5xx are OutcomeUnknown, because Cloudflare may have created a command before it failed. The other
    statuses mean that it created nothing.
    """
    by_status: dict[int, tuple[type[CloudflareError], str]] = {
        401: (Refused, "Cloudflare refused the credential"),
        403: (Refused, "Cloudflare refused the account or the credential"),
        404: (NotFound, "Cloudflare did not find the account, the command or the file"),
        407: (NotSent, "The proxy refused the request"),
        408: (OutcomeUnknown, "Cloudflare timed out waiting for the request"),
        409: (OutcomeUnknown, "Cloudflare reported a conflict"),
        425: (OutcomeUnknown, "Cloudflare received the request too early"),
        429: (Throttled, "Cloudflare is rate-limiting requests"),
    }
    if status in by_status:
        return by_status[status]
    if 300 <= status < 400:
        return Refused, "Cloudflare sent a redirect, which is not followed"
    if 400 <= status < 500:
        return Rejected, "Cloudflare rejected the request"
    return OutcomeUnknown, "Cloudflare failed"


def _error_body(response: Response) -> Json:
    try:
        return parse_json(response.call, response_body.read_all(response, _MAX_ERROR_BYTES))
    except CloudflareError:
        return None  # the status alone decides the error, so an unreadable body is no loss


def parse_json(call: Call, body: bytes) -> Json:
    """Parse a response body and replace the characters that no database stores.

    Raises:
        Unreadable: the body is not JSON, or is nested more than 40 levels deep.
    """
    value: Json = None
    failed = False
    try:
        value = _clean(json.loads(body, parse_constant=_reject_constant), _MAX_DEPTH)
    # ValueError includes UnicodeDecodeError, and an integer of more than 4300 digits.
    except (ValueError, RecursionError):
        failed = True
    # Raised outside of the handler: a decoding error would keep the body, perhaps with a secret, as the context.
    if failed:
        raise Unreadable(call, "Cloudflare's response is not valid JSON.", status=200)
    return value


def _reject_constant(constant: str) -> NoReturn:
    """Reject NaN and Infinity, which Python's parser accepts although JSON has no such numbers."""
    raise ValueError(f"{constant} is not valid JSON")


def _clean(value: Json, depth: int) -> Json:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return coerce.clean_lines(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # a literal such as 1e999 overflows to infinity
    if isinstance(value, list):
        return [_clean(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {coerce.clean(key): _clean(item, depth - 1) for key, item in value.items()}
    return value


def unwrap(call: Call, value: Json, auth: Auth) -> Json:
    """Return the `result` of an envelope, None where it is absent.

    Raises:
        ReportedFailure: `success` is present and not true.
        Unreadable: the value has neither `success` nor `result`.
    """
    if not isinstance(value, dict) or not {"success", "result"} & value.keys():
        raise Unreadable(call, "Cloudflare's response has no envelope.", status=200)
    if value.get("success", True) is not True:
        problems = _problems(value, auth)
        message = _message("Cloudflare reported a failure", problems)
        raise ReportedFailure(call, message, status=200, problems=problems)
    return value.get("result")


def _problems(value: Json, auth: Auth) -> tuple[Problem, ...]:
    errors = value.get("errors") if isinstance(value, dict) else None
    entries = errors if isinstance(errors, list) else []
    return tuple(_problem(entry, auth) for entry in entries[:_MAX_PROBLEMS] if isinstance(entry, dict))


def _problem(entry: dict[str, Json], auth: Auth) -> Problem:
    source = entry.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    # Redact first: coerce.text() shortens the text, which could leave half of a secret.
    return Problem(
        code=coerce.count(entry.get("code")) or 0,
        message=coerce.text(_redacted(entry.get("message"), auth)),
        pointer=coerce.text(_redacted(pointer, auth)),
        chain=_chain(entry.get("error_chain"), auth),
    )


def _chain(value: Json, auth: Auth) -> tuple[Problem, ...]:
    entries = value if isinstance(value, list) else []
    return tuple(_problem(entry, auth) for entry in entries[:_MAX_PROBLEMS] if isinstance(entry, dict))


def _redacted(value: Json, auth: Auth) -> Json:
    return auth.redact(value) if isinstance(value, str) else value


def _message(summary: str, problems: tuple[Problem, ...]) -> str:
    details = "; ".join(": ".join(_describe(problem) for problem in entry.all) for entry in problems)
    return f"{summary}: {details}." if details else f"{summary}."


def _describe(problem: Problem) -> str:
    return f"{problem.message or 'no message'} (code {problem.code})"
