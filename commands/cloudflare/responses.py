"""From an HTTP answer to Cloudflare's `result`, or to the error that says what the answer means for us."""

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

_MAX_REFUSAL_BYTES = 64 * 1024
_MAX_PROBLEMS = 20
_MAX_DEPTH = 40


def error_for_status(answer: Response, auth: Auth) -> CloudflareError | None:
    """None for 2xx. Else the error of the status; the body only lends it words."""
    if 200 <= answer.status < 300:
        return None
    kind, lead = _meaning(answer.status)
    problems = _problems(_refusal_body(answer), auth)
    return kind(
        answer.call,
        _sentence(f"{lead} (HTTP {answer.status})", problems),
        status=answer.status,
        problems=problems,
        retry_after=coerce.retry_after(answer.headers),
    )


def _meaning(status: int) -> tuple[type[CloudflareError], str]:
    """The contract's table "Can a POST be sent again?", by status."""
    one: dict[int, tuple[type[CloudflareError], str]] = {
        401: (Refused, "Cloudflare refused the credential"),
        403: (Refused, "Cloudflare refused the account or the credential"),
        404: (NotFound, "Cloudflare does not know the account or what was asked for"),
        407: (NotSent, "The proxy refused"),
        408: (OutcomeUnknown, "Cloudflare gave up waiting"),
        409: (OutcomeUnknown, "Cloudflare reported a conflict"),
        425: (OutcomeUnknown, "Cloudflare found the request too early"),
        429: (Throttled, "Cloudflare asks for a pause"),
    }
    if status in one:
        return one[status]
    if 300 <= status < 400:
        return Refused, "Cloudflare's address answered with a redirect, which is not followed"
    if 400 <= status < 500:
        return Rejected, "Cloudflare rejected the request"
    return OutcomeUnknown, "Cloudflare failed"


def _refusal_body(answer: Response) -> Json:
    try:
        return parse_json(answer.call, response_body.read_all(answer, _MAX_REFUSAL_BYTES))
    except CloudflareError:
        return None  # the status has already said what counts


def parse_json(call: Call, body: bytes) -> Json:
    """JSON, cleaned of characters that no database takes. Raises Unreadable."""
    value: Json = None
    failed = False
    try:
        value = _cleaned(json.loads(body, parse_constant=_not_json), _MAX_DEPTH)
    except (ValueError, RecursionError):  # also UnicodeDecodeError, numbers of thousands of digits
        failed = True
    if failed:
        raise Unreadable(call, "Cloudflare's answer is not the JSON that was expected.", status=200)
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _cleaned(value: Json, depth: int) -> Json:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return coerce.clean_lines(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_cleaned(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {coerce.clean(key): _cleaned(item, depth - 1) for key, item in value.items()}
    return value


def unwrap(call: Call, value: Json, auth: Auth) -> Json:
    """What is in the envelope. Raises ReportedFailure, Unreadable."""
    if not isinstance(value, dict) or not {"success", "result"} & value.keys():
        raise Unreadable(call, "Cloudflare's answer has no envelope.", status=200)
    if value.get("success", True) is not True:
        problems = _problems(value, auth)
        words = _sentence("Cloudflare answered without success", problems)
        raise ReportedFailure(call, words, status=200, problems=problems)
    return value.get("result")


def _problems(value: Json, auth: Auth) -> tuple[Problem, ...]:
    found = value.get("errors") if isinstance(value, dict) else None
    entries = found if isinstance(found, list) else []
    return tuple(_problem(entry, auth) for entry in entries[:_MAX_PROBLEMS] if isinstance(entry, dict))


def _problem(entry: dict[str, Json], auth: Auth) -> Problem:
    source = entry.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    return Problem(
        code=coerce.count(entry.get("code")) or 0,
        message=coerce.text(_scrubbed(entry.get("message"), auth)),
        pointer=coerce.text(_scrubbed(pointer, auth)),
    )


def _scrubbed(value: Json, auth: Auth) -> Json:
    """Before any cut, which could leave half a secret."""
    return auth.redact(value) if isinstance(value, str) else value


def _sentence(lead: str, problems: tuple[Problem, ...]) -> str:
    said = "; ".join(f"{problem.message or 'no words'} (code {problem.code})" for problem in problems)
    return f"{lead}: {said}." if said else f"{lead}."
