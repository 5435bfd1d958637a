"""Download of a finished command's file, with byte ranges, and its analysis.

This module must not build zips: the artifact cache does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from simulator.clock import format_http_date
from simulator.ledger import Command
from simulator.lifecycle import SUCCESS
from simulator.responses import ApiError, Response, success_payload
from simulator.routes import Call
from simulator.state import Simulator

NOT_FOUND = 1010
BAD_RANGE = 1011


def download(sim: Simulator, call: Call, headers: Mapping[str, str]) -> Response:
    command = _finished_command(sim, call)
    if call.filename and call.filename != command.filename:
        raise _not_found()
    if call.device_id and call.device_id != command.device.device_id:
        raise _not_found()
    if sim.clock.now() >= sim.expires_at(command):
        raise _not_found()
    artifact = sim.artifact_cache.get_or_build(command, seed=sim.config.seed, shared=sim.config.shared_artifacts)
    modified = format_http_date(command.timeline.ends_at)
    response_headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f"attachment; filename*=UTF-8''{command.filename}",
        "Accept-Ranges": "bytes",
        "ETag": artifact.etag,
        "Last-Modified": modified,
    }
    byte_range = headers.get("Range", "")
    # without If-Range a range is always served
    if byte_range and headers.get("If-Range", artifact.etag) in {artifact.etag, modified}:
        return _partial_content(artifact.body, byte_range, response_headers)
    return Response(200, headers=response_headers, body=artifact.body)


def _finished_command(sim: Simulator, call: Call) -> Command:
    command = sim.ledger.command(call.account_id, call.command_id)
    if command is None or command.status(sim.clock.now()) != SUCCESS:
        raise _not_found()
    return command


def _not_found() -> ApiError:
    return ApiError(404, NOT_FOUND, "The artifact was not found")


def _partial_content(body: bytes, byte_range: str, headers: dict[str, str]) -> Response:
    """Serve one byte range: 206, or 416 if it cannot be satisfied.

    Anything but a single byte range is ignored, as HTTP allows: the response is the whole body with 200.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", byte_range.strip())
    if not match or not any(match.groups()):
        return Response(200, headers=headers, body=body)
    first, last = match.groups()
    total = len(body)
    if first:
        start, end = int(first), min(int(last or total), total - 1)
    else:
        # bytes=-50 is the last 50 bytes
        start, end = max(0, total - int(last)), total - 1
    if start >= total or start > end:
        payload = ApiError(416, BAD_RANGE, "The range is not satisfiable").to_response().payload
        return Response(416, payload, {"Content-Range": f"bytes */{total}"})
    part = {"Content-Range": f"bytes {start}-{end}/{total}"}
    return Response(206, headers={**headers, **part}, body=body[start : end + 1])


def analysis(sim: Simulator, call: Call) -> Response:
    """Serve the analysis of a successful warp-diag. Other commands have none.

    Cloudflare publishes no schema for it, so that this payload is invented.
    """
    command = _finished_command(sim, call)
    if command.kind != "warp-diag":
        raise _not_found()
    return Response(200, success_payload({"command_id": command.id, "detections": []}))
