"""Puts an answer on the socket, with the faults of bytes and connections. Knows nothing of commands."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from aiohttp import web

from simulator.answers import Answer
from simulator.clock import http_date
from simulator.faults import Effect

HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>Bad gateway</h1>"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes out: `announced` is the Content-Length, `body` what is really written, `step` bytes at a time."""

    status: int
    headers: dict[str, str]
    body: bytes
    announced: int
    step: int = 0
    pause: float = 0.0
    hang_up: bool = False


async def send(request: web.Request, answer: Answer, effects: Sequence[Effect], *, now: float) -> web.StreamResponse:
    """Returns when the last byte was handed to the socket; ConnectionError when the client had gone."""
    parcel = _parcel(answer, now)
    for effect in effects:
        change = _CHANGES.get(effect.kind)
        if change:
            parcel = change(parcel, effect)
    return await _write(request, parcel)


def _parcel(answer: Answer, now: float) -> Parcel:
    body = answer.body
    headers = {"Date": http_date(now), "Content-Type": "application/json", **answer.headers}
    if body is None:
        body = json.dumps(answer.payload, separators=(",", ":")).encode()
    return Parcel(answer.status, headers, body, len(body))


async def _write(request: web.Request, parcel: Parcel) -> web.StreamResponse:
    response = web.StreamResponse(status=parcel.status, headers=parcel.headers)
    response.content_length = parcel.announced
    await response.prepare(request)
    step = parcel.step or max(1, len(parcel.body))
    for start in range(0, len(parcel.body), step):
        await response.write(parcel.body[start : start + step])
        if parcel.pause:
            await asyncio.sleep(parcel.pause)
    await response.write_eof()
    if parcel.hang_up:
        response.force_close()
        if request.transport:
            request.transport.close()
    return response


def reset(request: web.Request) -> None:
    """Ends the connection by a real RST: closing with a linger of 0 drops what was not sent."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _with_body(parcel: Parcel, body: bytes, content_type: str = "") -> Parcel:
    headers = {**parcel.headers, "Content-Type": content_type} if content_type else parcel.headers
    return replace(parcel, headers=headers, body=body, announced=len(body))


def _without(parcel: Parcel, *names: str) -> Parcel:
    return replace(parcel, headers={key: value for key, value in parcel.headers.items() if key not in names})


def _truncated(parcel: Parcel, effect: Effect) -> Parcel:
    return _with_body(parcel, parcel.body[: int(len(parcel.body) * effect.share)])


def _invalid(parcel: Parcel, effect: Effect) -> Parcel:
    return _with_body(parcel, b'{"success": tru' + parcel.body[:20])


def _html(parcel: Parcel, effect: Effect) -> Parcel:
    return _with_body(parcel, HTML, "text/html; charset=UTF-8")


def _date_off(parcel: Parcel, effect: Effect) -> Parcel:
    shifted = parsedate_to_datetime(parcel.headers["Date"]).timestamp() + effect.seconds
    return replace(parcel, headers={**parcel.headers, "Date": http_date(shifted)})


def _gzip(parcel: Parcel, effect: Effect) -> Parcel:
    if parcel.status not in {200, 206}:
        return parcel
    encoded = _with_body(_without(parcel, "Accept-Ranges"), gzip.compress(parcel.body, mtime=0))
    return replace(encoded, headers={**encoded.headers, "Content-Encoding": "gzip"})


def _no_etag(parcel: Parcel, effect: Effect) -> Parcel:
    return _without(parcel, "ETag")


def _weak_etag(parcel: Parcel, effect: Effect) -> Parcel:
    etag = parcel.headers.get("ETag")
    return replace(parcel, headers={**parcel.headers, "ETag": f"W/{etag}"}) if etag else parcel


def _cut_short(parcel: Parcel, effect: Effect) -> Parcel:
    return replace(parcel, body=parcel.body[: int(len(parcel.body) * effect.share)], hang_up=True)


def _drip(parcel: Parcel, effect: Effect) -> Parcel:
    return replace(parcel, step=effect.size, pause=effect.seconds or 0.05)


def _wrong_length(parcel: Parcel, effect: Effect) -> Parcel:
    """More than there is: the connection closes early. Less: the rest is never sent."""
    return replace(parcel, announced=max(0, parcel.announced + effect.delta), hang_up=True)


_CHANGES: dict[str, Callable[[Parcel, Effect], Parcel]] = {
    "truncated_json": _truncated,
    "invalid_json": _invalid,
    "html_body": _html,
    "date_off": _date_off,
    "gzip": _gzip,
    "no_etag": _no_etag,
    "weak_etag": _weak_etag,
    "cut_short": _cut_short,
    "drip": _drip,
    "wrong_length": _wrong_length,
}
