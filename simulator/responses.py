"""Responses in Cloudflare's JSON envelope, and the exception that becomes an error response.

This module must not know any single call of the API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and content of one response.

    `payload` is sent as JSON. A download sets `body` instead, which is sent unchanged.
    """

    status: int
    payload: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class ApiError(Exception):
    """Error that the simulated API reports to its client. It is no fault of the simulator itself."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        pointer: str = "",
        retry_after: int = 0,
        chain: Sequence[ApiError] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.pointer, self.retry_after, self.chain = pointer, retry_after, chain

    def to_json(self) -> dict[str, object]:
        """Build the entry for the envelope's `errors` or `messages`."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.pointer:
            error["source"] = {"pointer": self.pointer}
        if self.chain:
            error["error_chain"] = [cause.to_json() for cause in self.chain]
        return error

    def to_response(self) -> Response:
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return Response(self.status, failure_payload([self.to_json()]), headers)


def success_payload(
    result: object,
    *,
    messages: list[dict[str, object]] | None = None,
    result_info: Mapping[str, object] | None = None,
) -> dict[str, object]:
    payload: dict[str, object] = {"success": True, "errors": [], "messages": messages or [], "result": result}
    if result_info is not None:
        payload["result_info"] = dict(result_info)
    return payload


def failure_payload(errors: list[dict[str, object]]) -> dict[str, object]:
    return {"success": False, "errors": errors, "messages": [], "result": None}


def route_not_found(path: str) -> ApiError:
    return ApiError(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")


def authentication_error() -> ApiError:
    return ApiError(403, 10000, "Authentication error")
