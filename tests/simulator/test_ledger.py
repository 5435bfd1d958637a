"""Pages of the ledger, compared with a scan of all commands that uses no index."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from simulator.config import KINDS
from simulator.ledger import Command, Ledger, Query
from simulator.lifecycle import FAILED, STATUSES, SUCCESS, Timeline
from simulator.world import build_world

NOW = 1_800_000_000.0
WORLD = build_world("a", seed=1, people=4, domain="example.com")
QUERIES = {
    "nothing": Query(1, 7),
    "device": Query(1, 7, device_id=WORLD.devices[0].device_id),
    "email and kind": Query(1, 3, user_email=WORLD.devices[1].person_email, kind="pcap"),
    "device and email": Query(1, 3, device_id=WORLD.devices[2].device_id, user_email=WORLD.devices[2].person_email),
    "kind and time": Query(1, 7, kind="warp-diag", since=NOW - 900, until=NOW - 50),
    "kind and status": Query(1, 7, kind="speed-test", status=SUCCESS),
    "hidden": Query(1, 7, hidden_after=NOW - 100),
    **{f"status {status}": Query(1, 7, status=status) for status in STATUSES},
    **{f"time and status {status}": Query(1, 3, status=status, since=NOW - 700, until=NOW - 20) for status in STATUSES},
}


def make_ledger(load: Callable[[Ledger, list[Command]], None]) -> Ledger:
    """Build a ledger with commands in every status at NOW: each takes up to 200 s, all began up to 1000 s before."""
    rng = Random(3)
    commands = []
    for number in range(400):
        at = NOW - rng.uniform(0, 1000)
        ends = at + rng.uniform(1, 200)
        outcome = rng.choice((SUCCESS, SUCCESS, FAILED))
        timeline = Timeline(at, at + (ends - at) / 2, ends, outcome)
        commands.append(Command(f"c{number}", rng.choice(WORLD.devices), rng.choice(KINDS), {}, at, timeline))
    ledger = Ledger()
    load(ledger, commands)
    return ledger


def add_each(ledger: Ledger, commands: list[Command]) -> None:
    for command in commands:
        ledger.add(command)


def scan(ledger: Ledger, query: Query) -> list[str]:
    rows = sorted(ledger.commands(), key=lambda row: row.created_at, reverse=query.newest_first)
    return [
        row.id
        for row in rows
        if query.device_id in {"", row.device.device_id}
        and query.user_email in {"", row.device.person_email}
        and query.kind in {"", row.kind}
        and query.status in {"", row.status(NOW)}
        and (query.since or 0) <= row.created_at <= min(query.until or NOW, query.hidden_after or NOW)
    ]


def read_all_pages(ledger: Ledger, query: Query) -> list[str]:
    ids: list[str] = []
    for page in range(1, 200):
        rows = ledger.page("a", replace(query, page=page), NOW)
        ids += [row.id for row in rows]
        if len(rows) < query.per_page:
            return ids
    raise AssertionError("no page was the last one")


@pytest.mark.parametrize("load", [Ledger.load, add_each], ids=["loaded", "one by one"])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("name", QUERIES)
def test_pages_of_a_query_equal_a_scan_of_all_commands(
    name: str, newest_first: bool, load: Callable[[Ledger, list[Command]], None]
) -> None:
    ledger = make_ledger(load)
    query = replace(QUERIES[name], newest_first=newest_first)
    expected = scan(ledger, query)
    assert expected
    assert read_all_pages(ledger, query) == expected
