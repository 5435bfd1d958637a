"""Faults in the payload of a response: its rows and their fields.

Pure functions, apart from the random generator that is passed in. This module must not know sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from simulator.clock import format_rfc3339, parse_rfc3339
from simulator.faults import Effect
from simulator.lifecycle import STATUSES
from simulator.responses import Response

type Row = dict[str, object]
type Rows = list[Row]


def apply_payload_faults(response: Response, effects: Sequence[Effect], rng: Random) -> Response:
    """Apply every payload fault in `effects`, in their order. Errors and downloads are returned unchanged."""
    if not response.payload.get("success"):
        return response
    result = response.payload.get("result")
    for effect in effects:
        if effect.kind == "null_result":
            result = None
        elif effect.kind == "odd_analysis":
            result = ["unexpected", {"detections": {"count": "many"}}, None]
        elif isinstance(result, dict):
            result = _change_rows(result, effect, rng)
    return Response(response.status, {**response.payload, "result": result}, response.headers)


def _change_rows(result: dict[str, object], effect: Effect, rng: Random) -> dict[str, object]:
    change = _CHANGES.get(effect.kind)
    rows_name = "devices" if "devices" in result else "commands"
    rows = result.get(rows_name)
    if change is None or not isinstance(rows, list):
        return result
    return {**result, rows_name: change([dict(row) for row in rows], effect, rng)}


def _missing_rows(rows: Rows, effect: Effect, rng: Random) -> Rows:
    return [row for row in rows if rng.random() >= effect.p]


def _repeated_rows(rows: Rows, effect: Effect, rng: Random) -> Rows:
    return [copy for row in rows for copy in ([row, row] if rng.random() < effect.p else [row])]


def _reordered_rows(rows: Rows, effect: Effect, rng: Random) -> Rows:
    return rng.sample(rows, k=len(rows))


def _item_missing(rows: Rows, effect: Effect, rng: Random) -> Rows:
    return rng.sample(rows, k=max(0, len(rows) - effect.count))


def _each_row(change: Callable[[Row, Effect, Random], None]) -> Callable[[Rows, Effect, Random], Rows]:
    """Turn a change of one row into a change of a random share of rows, `effect.p`."""

    def change_rows(rows: Rows, effect: Effect, rng: Random) -> Rows:
        for row in rows:
            if rng.random() < effect.p:
                change(row, effect, rng)
        return rows

    return change_rows


def _status_back(row: Row, effect: Effect, rng: Random) -> None:
    """Set any earlier status. SUCCESS and FAILED both go back to a pending status, never to each other."""
    status = str(row.get("status", ""))
    # STATUSES ends with SUCCESS and FAILED: both are step 2 of a command's life
    step = min(STATUSES.index(status), 2) if status in STATUSES else 0
    if step:
        row.update(status=rng.choice(STATUSES[:step]), completed_date=None, filename=None)


def _unknown_status(row: Row, effect: Effect, rng: Random) -> None:
    row["status"] = effect.word or "ON_HOLD"


def _created_date_absent(row: Row, effect: Effect, rng: Random) -> None:
    row.pop("created_date", None)


def _created_date_skewed(row: Row, effect: Effect, rng: Random) -> None:
    created = row.get("created_date")
    if isinstance(created, str):
        row["created_date"] = format_rfc3339(parse_rfc3339(created) + effect.seconds)


def _registration_absent(row: Row, effect: Effect, rng: Random) -> None:
    # the first name is in rows of commands, the second in rows of devices
    row.pop("registration_id", None)
    row.pop("registrationId", None)


def _field_absent(row: Row, effect: Effect, rng: Random) -> None:
    row.pop(effect.word, None)


def _filename_url(row: Row, effect: Effect, rng: Random) -> None:
    name = row.get("filename")
    if name:
        row["filename"] = f"{effect.word or 'https://artifacts.example.net/dex'}/{name}"


_CHANGES: dict[str, Callable[[Rows, Effect, Random], Rows]] = {
    "missing_rows": _missing_rows,
    "repeated_rows": _repeated_rows,
    "reordered_rows": _reordered_rows,
    "item_missing": _item_missing,
    "status_back": _each_row(_status_back),
    "unknown_status": _each_row(_unknown_status),
    "created_date_absent": _each_row(_created_date_absent),
    "created_date_skewed": _each_row(_created_date_skewed),
    "registration_absent": _each_row(_registration_absent),
    "field_absent": _each_row(_field_absent),
    "filename_url": _each_row(_filename_url),
}
