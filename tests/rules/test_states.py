"""Tables of allowed moves, written by hand a second time and compared with `states.py`."""

from itertools import product

import pytest

from commands.rules.states import (
    ARTIFACT_MOVES,
    ARTIFACT_TONES,
    COMMAND_MOVES,
    DONE,
    FINAL_REMOTE,
    HAS_FILE,
    IN_FLIGHT,
    OPEN,
    REMOTE,
    TONES,
    UNSENT,
    ArtifactStatus,
    Mover,
    Status,
    rank,
    sources,
)
from commands.rules.states_diagram import diagram
from commands.rules.wording.statuses import ARTIFACT_LABELS, LABELS

# status: moves to, with who makes the move: a person, the second person (approver), our own workers (portal),
# Cloudflare's word (cloudflare), the operator after a restore.
PLAN = """
awaiting_approval : queued by approver; waiting_device by approver; declined by approver; withdrawn by person;
                    expired by portal
waiting_device    : queued by portal, person; withdrawn by person; expired by portal
queued            : sending by portal; waiting_device by portal, person; withdrawn by person; expired by portal;
                    uncertain by restore
sending           : PENDING_EXEC by cloudflare; PENDING_UPLOAD by cloudflare; SUCCESS by cloudflare;
                    FAILED by cloudflare; rejected by cloudflare; queued by portal, cloudflare;
                    uncertain by portal, restore
uncertain         : PENDING_EXEC by cloudflare; PENDING_UPLOAD by cloudflare; SUCCESS by cloudflare;
                    FAILED by cloudflare; rejected by cloudflare, portal; queued by cloudflare, portal;
                    unconfirmed by portal
PENDING_EXEC      : PENDING_UPLOAD by cloudflare; SUCCESS by cloudflare; FAILED by cloudflare; unconfirmed by portal
PENDING_UPLOAD    : SUCCESS by cloudflare; FAILED by cloudflare; unconfirmed by portal
unconfirmed       : SUCCESS by cloudflare; FAILED by cloudflare
"""

ARTIFACT_PLAN = """
wanted     : fetching by portal; refused by portal
fetching   : stored by portal; wanted by portal; too_large by portal; gone by portal; refused by portal
stored     : reading by portal; purged by portal, person
reading    : read by portal; stored by portal; unreadable by portal; purged by portal, person
read       : purged by portal, person
unreadable : purged by portal, person
"""


def _read(plan: str) -> set[tuple[str, str, str]]:
    """Return (from, to, mover) of each move."""
    moves: set[tuple[str, str, str]] = set()
    source = ""
    for line in plan.strip().splitlines():
        head, colon, rest = line.partition(":")
        source = head.strip() if colon else source
        for move in (rest if colon else line).split(";"):
            target, _, movers = move.strip().partition(" by ")
            moves |= {(source, target, mover.strip()) for mover in movers.split(",") if target}
    return moves


@pytest.mark.parametrize("source", Status)
def test_every_move_of_a_command_is_as_planned(source: Status) -> None:
    plan = _read(PLAN)
    for target, mover in product(Status, Mover):
        allowed = mover in COMMAND_MOVES.get((source, target), ())
        assert allowed is ((source, target, mover) in plan), f"{source} to {target} by {mover}"
        assert (source in sources(COMMAND_MOVES, target, mover)) is allowed


@pytest.mark.parametrize("source", ArtifactStatus)
def test_every_move_of_an_artifact_is_as_planned(source: ArtifactStatus) -> None:
    plan = _read(ARTIFACT_PLAN)
    for target, mover in product(ArtifactStatus, Mover):
        allowed = mover in ARTIFACT_MOVES.get((source, target), ())
        assert allowed is ((source, target, mover) in plan), f"{source} to {target} by {mover}"
        assert (source in sources(ARTIFACT_MOVES, target, mover)) is allowed


def test_plan_names_only_existing_statuses_and_movers() -> None:
    for plan, statuses in ((PLAN, set(Status)), (ARTIFACT_PLAN, set(ArtifactStatus))):
        for source, target, mover in _read(plan):
            assert {source, target} <= statuses
            assert mover in set(Mover)


def test_unsent_in_flight_and_done_split_all_statuses() -> None:
    assert {"awaiting_approval", "waiting_device", "queued"} == UNSENT
    assert {"sending", "uncertain", "PENDING_EXEC", "PENDING_UPLOAD"} == IN_FLIGHT
    assert DONE.isdisjoint(UNSENT | IN_FLIGHT)
    assert set(Status) == UNSENT | IN_FLIGHT | DONE
    assert OPEN == UNSENT | IN_FLIGHT


def test_done_statuses_are_final_except_unconfirmed() -> None:
    assert {source for source, _ in COMMAND_MOVES if source in DONE} == {Status.UNCONFIRMED}


def test_command_that_may_have_been_created_is_never_withdrawn_or_expired() -> None:
    for source, target in COMMAND_MOVES:
        if target in (Status.WITHDRAWN, Status.EXPIRED, Status.DECLINED):
            assert source in UNSENT


@pytest.mark.parametrize(("source", "target"), list(product(REMOTE, REMOTE)))
def test_move_between_statuses_of_cloudflare_raises_the_rank(source: Status, target: Status) -> None:
    assert ((source, target) in COMMAND_MOVES) is (rank(source) < rank(target))


def test_statuses_of_cloudflare_keep_their_names_and_have_a_rank() -> None:
    assert REMOTE == ("PENDING_EXEC", "PENDING_UPLOAD", "SUCCESS", "FAILED")
    assert set(REMOTE[2:]) == FINAL_REMOTE
    assert [rank(status) for status in REMOTE] == [1, 2, 3, 3]
    assert {rank(status) for status in set(Status) - set(REMOTE)} == {0}


def test_every_status_can_be_reached() -> None:
    reached: set[Status] = {Status.AWAITING_APPROVAL}
    while more := {target for source, target in COMMAND_MOVES if source in reached} - reached:
        reached |= more
    assert reached == set(Status)
    assert {target for _, target in ARTIFACT_MOVES} == set(ArtifactStatus)


def test_every_status_has_a_tone() -> None:
    assert list(TONES) == list(Status)
    assert list(ARTIFACT_TONES) == list(ArtifactStatus)


def test_only_artifacts_with_a_file_can_be_purged() -> None:
    assert {source for source, target in ARTIFACT_MOVES if target is ArtifactStatus.PURGED} == HAS_FILE


def test_diagram_shows_each_move_with_its_movers_and_each_label() -> None:
    drawn = diagram().splitlines()
    for source, target in [*COMMAND_MOVES, *ARTIFACT_MOVES]:
        assert any(line.strip().startswith(f"{source} --> {target}: ") for line in drawn)
    arrows = [line for line in drawn if " --> " in line and "[*]" not in line]
    assert len(arrows) == len(COMMAND_MOVES) + len(ARTIFACT_MOVES)
    for status, label in [*LABELS.items(), *ARTIFACT_LABELS.items()]:
        assert any(line.startswith(f"| `{status}` | {label} | ") for line in drawn)
