"""The file of a finished command, with ranges, and its analysis. Builds no zip itself: the shelf does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from simulator.answers import Answer, Refusal, success
from simulator.calls import Call
from simulator.clock import http_date
from simulator.ledger import Command
from simulator.life import SUCCESS
from simulator.state import Simulator

NOT_FOUND = 1010
BAD_RANGE = 1011


def download(sim: Simulator, call: Call, headers: Mapping[str, str]) -> Answer:
    command = _finished(sim, call)
    if call.filename and call.filename != command.filename:
        raise _not_found()
    if call.device_id and call.device_id != command.device.device_id:
        raise _not_found()
    if sim.clock.now() >= sim.expires_at(command):
        raise _not_found()
    parcel = sim.shelf.parcel(command, seed=sim.config.seed, shared=sim.config.shared_artifacts)
    modified = http_date(command.timeline.ends_at)
    answer_headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f"attachment; filename*=UTF-8''{command.filename}",
        "Accept-Ranges": "bytes",
        "ETag": parcel.etag,
        "Last-Modified": modified,
    }
    wanted = headers.get("Range", "")
    if wanted and headers.get("If-Range", parcel.etag) in {parcel.etag, modified}:
        return _part(parcel.body, wanted, answer_headers)
    return Answer(200, headers=answer_headers, body=parcel.body)


def _finished(sim: Simulator, call: Call) -> Command:
    command = sim.ledger.command(call.account_id, call.command_id)
    if command is None or command.status(sim.clock.now()) != SUCCESS:
        raise _not_found()
    return command


def _not_found() -> Refusal:
    return Refusal(404, NOT_FOUND, "The artifact was not found")


def _part(body: bytes, wanted: str, headers: dict[str, str]) -> Answer:
    """206 for one satisfiable range, 416 for one that is not; what is no single byte range is ignored."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted.strip())
    if not found or not any(found.groups()):
        return Answer(200, headers=headers, body=body)
    first, last = found.groups()
    total = len(body)
    if first:
        start, end = int(first), min(int(last or total), total - 1)
    else:
        start, end = max(0, total - int(last)), total - 1
    if start >= total or start > end:
        refusal = Refusal(416, BAD_RANGE, "The range is not satisfiable").answer()
        return Answer(416, refusal.payload, {"Content-Range": f"bytes */{total}"})
    part = {"Content-Range": f"bytes {start}-{end}/{total}"}
    return Answer(206, headers={**headers, **part}, body=body[start : end + 1])


def analyse(sim: Simulator, call: Call) -> Answer:
    """Only a successful warp-diag has one. The real shape is unknown: this one is invented."""
    command = _finished(sim, call)
    if command.kind != "warp-diag":
        raise _not_found()
    return Answer(200, success({"command_id": command.id, "detections": []}))
