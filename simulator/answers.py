"""Cloudflare's envelope, and the errors that the simulator answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """`payload` goes out as JSON; where `body` is set it goes out as it is (a download)."""

    status: int
    payload: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Refusal(Exception):
    """Ends a call with one error in the envelope: not an error of the program, an answer."""

    def __init__(self, status: int, code: int, message: str, *, pointer: str = "", retry_after: int = 0) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.pointer, self.retry_after = pointer, retry_after

    def error(self) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.pointer:
            error["source"] = {"pointer": self.pointer}
        return error

    def answer(self) -> Answer:
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return Answer(self.status, failure([self.error()]), headers)


def success(
    result: object,
    *,
    messages: list[dict[str, object]] | None = None,
    result_info: Mapping[str, object] | None = None,
) -> dict[str, object]:
    payload: dict[str, object] = {"success": True, "errors": [], "messages": messages or [], "result": result}
    if result_info is not None:
        payload["result_info"] = dict(result_info)
    return payload


def failure(errors: list[dict[str, object]]) -> dict[str, object]:
    return {"success": False, "errors": errors, "messages": [], "result": None}


def no_route(path: str) -> Refusal:
    return Refusal(404, 7003, f"Could not route to {path}, perhaps your object identifier is invalid?")


def not_allowed() -> Refusal:
    return Refusal(403, 10000, "Authentication error")
