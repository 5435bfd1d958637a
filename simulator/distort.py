"""Faults in what an answer says: rows and fields of the payload. Pure but for the given chance; no sockets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from simulator.answers import Answer
from simulator.clock import parse_rfc3339, rfc3339
from simulator.faults import Effect
from simulator.life import STATUSES

type Row = dict[str, object]
type Rows = list[Row]


def distorted(answer: Answer, effects: Sequence[Effect], rng: Random) -> Answer:
    """The answer with every payload fault in `effects` applied; errors and downloads stay as they are."""
    if not answer.payload.get("success"):
        return answer
    result = answer.payload.get("result")
    for effect in effects:
        if effect.kind == "null_result":
            result = None
        elif effect.kind == "odd_analysis":
            result = ["unexpected", {"detections": {"count": "many"}}, None]
        elif isinstance(result, dict):
            result = _with_rows(result, effect, rng)
    return Answer(answer.status, {**answer.payload, "result": result}, answer.headers)


def _with_rows(result: dict[str, object], effect: Effect, rng: Random) -> dict[str, object]:
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


def _each(change: Callable[[Row, Effect, Random], None]) -> Callable[[Rows, Effect, Random], Rows]:
    def changed(rows: Rows, effect: Effect, rng: Random) -> Rows:
        for row in rows:
            if rng.random() < effect.p:
                change(row, effect, rng)
        return rows

    return changed


def _status_back(row: Row, effect: Effect, rng: Random) -> None:
    """Any earlier status; SUCCESS may fall back to both pending ones, never to FAILED."""
    status = str(row.get("status", ""))
    reached = min(STATUSES.index(status), 2) if status in STATUSES else 0
    if reached:
        row.update(status=rng.choice(STATUSES[:reached]), completed_date=None, filename=None)


def _unknown_status(row: Row, effect: Effect, rng: Random) -> None:
    row["status"] = effect.word or "ON_HOLD"


def _created_date_absent(row: Row, effect: Effect, rng: Random) -> None:
    row.pop("created_date", None)


def _created_date_skewed(row: Row, effect: Effect, rng: Random) -> None:
    created = row.get("created_date")
    if isinstance(created, str):
        row["created_date"] = rfc3339(parse_rfc3339(created) + effect.seconds)


def _registration_absent(row: Row, effect: Effect, rng: Random) -> None:
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
    "status_back": _each(_status_back),
    "unknown_status": _each(_unknown_status),
    "created_date_absent": _each(_created_date_absent),
    "created_date_skewed": _each(_created_date_skewed),
    "registration_absent": _each(_registration_absent),
    "field_absent": _each(_field_absent),
    "filename_url": _each(_filename_url),
}
