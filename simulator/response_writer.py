"""Writer of responses to the socket, with the faults of bytes, headers and connections.

This module must not know commands.
"""

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

from simulator.clock import format_http_date
from simulator.faults import Effect
from simulator.responses import Response

HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>Bad gateway</h1>"


@dataclass(frozen=True, slots=True)
class WireResponse:
    """Bytes and pace of one response.

    `announced` is the Content-Length, which a fault can make differ from `body`. `step` is the number of bytes written
    at a time (0: all at once), `pause` the seconds after each step. `hang_up` closes the connection at the end.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    announced: int
    step: int = 0
    pause: float = 0.0
    hang_up: bool = False


async def send(
    request: web.Request, response: Response, effects: Sequence[Effect], *, now: float
) -> web.StreamResponse:
    """Write a response to the socket. Raise ConnectionError if the client has disconnected."""
    outgoing = _to_outgoing(response, now)
    for effect in effects:
        change = _CHANGES.get(effect.kind)
        if change:
            outgoing = change(outgoing, effect)
    return await _write(request, outgoing)


def _to_outgoing(response: Response, now: float) -> WireResponse:
    body = response.body
    headers = {"Date": format_http_date(now), "Content-Type": "application/json", **response.headers}
    if body is None:
        body = json.dumps(response.payload, separators=(",", ":")).encode()
    return WireResponse(response.status, headers, body, len(body))


async def _write(request: web.Request, outgoing: WireResponse) -> web.StreamResponse:
    stream = web.StreamResponse(status=outgoing.status, headers=outgoing.headers)
    stream.content_length = outgoing.announced
    await stream.prepare(request)
    step = outgoing.step or max(1, len(outgoing.body))
    for start in range(0, len(outgoing.body), step):
        await stream.write(outgoing.body[start : start + step])
        if outgoing.pause:
            await asyncio.sleep(outgoing.pause)
    await stream.write_eof()
    if outgoing.hang_up:
        stream.force_close()
        if request.transport:
            request.transport.close()
    return stream


def reset(request: web.Request) -> None:
    """End the connection by a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket = transport.get_extra_info("socket")
    # closing with a linger time of 0 drops unsent data and sends RST, not FIN
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _with_body(outgoing: WireResponse, body: bytes, content_type: str = "") -> WireResponse:
    headers = {**outgoing.headers, "Content-Type": content_type} if content_type else outgoing.headers
    return replace(outgoing, headers=headers, body=body, announced=len(body))


def _without_headers(outgoing: WireResponse, *names: str) -> WireResponse:
    return replace(outgoing, headers={key: value for key, value in outgoing.headers.items() if key not in names})


def _truncate(outgoing: WireResponse, effect: Effect) -> WireResponse:
    return _with_body(outgoing, outgoing.body[: int(len(outgoing.body) * effect.share)])


def _break_json(outgoing: WireResponse, effect: Effect) -> WireResponse:
    return _with_body(outgoing, b'{"success": tru' + outgoing.body[:20])


def _replace_by_html(outgoing: WireResponse, effect: Effect) -> WireResponse:
    return _with_body(outgoing, HTML, "text/html; charset=UTF-8")


def _shift_date(outgoing: WireResponse, effect: Effect) -> WireResponse:
    shifted = parsedate_to_datetime(outgoing.headers["Date"]).timestamp() + effect.seconds
    return replace(outgoing, headers={**outgoing.headers, "Date": format_http_date(shifted)})


def _gzip(outgoing: WireResponse, effect: Effect) -> WireResponse:
    if outgoing.status not in {200, 206}:
        return outgoing
    encoded = _with_body(_without_headers(outgoing, "Accept-Ranges"), gzip.compress(outgoing.body, mtime=0))
    return replace(encoded, headers={**encoded.headers, "Content-Encoding": "gzip"})


def _drop_etag(outgoing: WireResponse, effect: Effect) -> WireResponse:
    return _without_headers(outgoing, "ETag")


def _weaken_etag(outgoing: WireResponse, effect: Effect) -> WireResponse:
    etag = outgoing.headers.get("ETag")
    return replace(outgoing, headers={**outgoing.headers, "ETag": f"W/{etag}"}) if etag else outgoing


def _cut_short(outgoing: WireResponse, effect: Effect) -> WireResponse:
    return replace(outgoing, body=outgoing.body[: int(len(outgoing.body) * effect.share)], hang_up=True)


def _drip(outgoing: WireResponse, effect: Effect) -> WireResponse:
    return replace(outgoing, step=effect.size, pause=effect.seconds or 0.05)


def _change_length(outgoing: WireResponse, effect: Effect) -> WireResponse:
    """Announce a wrong Content-Length.

    If it is too large, the connection closes before the client has all bytes. If it is too small, aiohttp
    discards the bytes beyond it.
    """
    return replace(outgoing, announced=max(0, outgoing.announced + effect.delta), hang_up=True)


_CHANGES: dict[str, Callable[[WireResponse, Effect], WireResponse]] = {
    "truncated_json": _truncate,
    "invalid_json": _break_json,
    "html_body": _replace_by_html,
    "date_off": _shift_date,
    "gzip": _gzip,
    "no_etag": _drop_etag,
    "weak_etag": _weaken_etag,
    "cut_short": _cut_short,
    "drip": _drip,
    "wrong_length": _change_length,
}
