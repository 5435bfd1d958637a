"""Worked example of docs/matching.md, run through the real rules."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from commands.rules import matching
from commands.rules.kinds import Kind
from commands.rules.listed_command import ListedCommand
from commands.rules.matching import Adopt, Ambiguous, Clock, Decision, Import, Ours, Sent
from commands.rules.states import Status

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "matching.md").read_text()
LEASE = timedelta(seconds=60)
SETTLE_WINDOW = timedelta(minutes=3)
IDS = {name: UUID(int=number) for number, name in enumerate("ABCDE", start=1)}
NAMES = {id_: name for name, id_ in IDS.items()}


def _at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-12-07T{time}").replace(tzinfo=UTC)


def _table(first_column: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the table whose first column has this title."""
    [block] = re.findall(rf"^\| {first_column} \|.*\n(?:\|.*\n)+", TEXT, re.MULTILINE)
    head, _, *lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
    for line in lines:
        yield dict(zip(head, line, strict=True))


def _command(line: dict[str, str]) -> Ours:
    claimed_at = _at(line["claimed"])
    ended_at = None if line["POST ended"] == "not yet" else _at(line["POST ended"])
    sent = Sent(claimed_at, claimed_at + LEASE, ended_at)
    return Ours(IDS[line["command"]], Status(line["status"]), Kind.PCAP, line["device"], sent=sent)


def _describe(decision: Decision) -> str:
    match decision:
        case Adopt():
            return f"adopt: {NAMES[decision.ours_id]}{', uncertain match' if decision.match_uncertain else ''}"
        case Ambiguous():
            return "ambiguous"
        case Import():
            return "import"
        case _:
            return "leave alone"


def test_worked_example_is_what_the_rules_decide() -> None:
    commands = [_command(line) for line in _table("command")]
    lines = list(_table("row"))
    rows = [
        ListedCommand(line["row"], Kind.PCAP, "PENDING_EXEC", line["device"], created_date=_at(line["created"]))
        for line in lines
    ]
    clock = Clock(_at("09:10:00"), import_age=SETTLE_WINDOW)
    decisions = matching.match(rows, commands, clock, complete=True)
    assert [_describe(decision) for decision in decisions] == [line["decision"] for line in lines]
    statuses = {NAMES[each.ours_id]: each.status for each in decisions if isinstance(each, Adopt)}
    assert statuses == {"A": "PENDING_EXEC", "B": None, "C": "PENDING_EXEC", "E": "PENDING_EXEC"}


def test_windows_in_the_worked_example_begin_2_minutes_before_the_claim_and_end_5_minutes_after_the_post() -> None:
    clock = Clock(_at("09:10:00"), import_age=SETTLE_WINDOW)
    for line in _table("command"):
        begin, end = (_at(time) for time in line["window"].split(" to "))
        ended = _at(line["claimed"]) + LEASE if line["POST ended"] == "not yet" else _at(line["POST ended"])
        assert (begin, end) == (_at(line["claimed"]) - clock.before, ended + clock.after)


def test_candidates_in_the_worked_example_are_the_commands_whose_window_holds_the_row() -> None:
    commands = list(_table("command"))
    for line in _table("row"):
        created = line["created"]
        fitting = [
            command["command"]
            for command in commands
            if command["device"] == line["device"]
            and command["window"].split(" to ")[0] <= created <= command["window"].split(" to ")[1]
        ]
        assert line["can be"] == (", ".join(fitting) or "none")
