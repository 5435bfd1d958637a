"""Matching in generated histories. Some rules hold in every history, others only in a calm one."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.rules.kinds import Kind
from commands.rules.matching import Adopt, Ours
from commands.rules.states import IN_FLIGHT, Status
from tests.rules.matching_world import (
    IMPORT_AGE,
    LEASE,
    MAX_LATENESS,
    MAX_SKEW,
    Fate,
    Foreign,
    Listing,
    Send,
    Step,
    Wait,
    World,
)

FLAWS = ("lose", "repeat", "shuffle", "go back", "strange word", "no registration", "no email", "no date")
HONEST = Listing(complete=True, seed=0, lag=0, spoil=frozenset())
SPOILED = replace(HONEST, spoil=frozenset(FLAWS))
BLIND = replace(HONEST, lag=86_400)

places = st.tuples(st.sampled_from(["laptop", "desktop"]), st.sampled_from([Kind.PCAP, Kind.WARP_DIAG]))
skews = st.integers(-MAX_SKEW, MAX_SKEW)
sends = st.builds(
    Send,
    places,
    st.sampled_from(Fate),
    st.integers(0, int(LEASE.total_seconds()) - 10),
    skews,
    st.integers(0, int(MAX_LATENESS.total_seconds())),
)
listings = st.builds(
    Listing,
    st.booleans(),
    st.integers(0, 99),
    st.sampled_from([0, 0, 20, 90]),
    st.frozensets(st.sampled_from(FLAWS)),
)
waits = st.builds(Wait, st.sampled_from([10, 30, 60, 150, 400, 1500]))
foreigns = st.builds(Foreign, places, skews, st.sampled_from(["reg-laptop", "reg-desktop", ""]))
steps: st.SearchStrategy[list[Step]] = st.lists(st.one_of(sends, foreigns, waits, listings), max_size=25)
offsets = st.integers(-600, 600).map(lambda seconds: timedelta(seconds=seconds))


def _lived(calm: bool, offset: timedelta, history: list[Step], blind: bool) -> World:
    """Return a world after this history and enough listings to end every command. Not all listings are honest."""
    world = World(calm, offset)
    for step in history:
        world.apply_step(step)
    for _ in range(4 if blind else 0):  # long enough for what is uncertain to become unconfirmed
        world.wait(int(LEASE.total_seconds()))
        world.list(BLIND)
    for seed in range(12):
        world.list(replace(SPOILED, seed=seed, complete=seed % 2 == 0))
        world.wait(int(IMPORT_AGE.total_seconds()) // 6)
    for _ in range(3):
        world.wait(int(IMPORT_AGE.total_seconds()) // 2)
        world.list(HONEST)
    return world


def _ours(world: World) -> list[Ours]:
    return [command for command in world.commands.values() if not command.started_elsewhere]


@settings(max_examples=300, deadline=None)
@given(offsets, steps, st.booleans())
def test_in_any_history_each_id_has_one_owner_and_every_command_ends(
    offset: timedelta, history: list[Step], blind: bool
) -> None:
    world = _lived(False, offset, history, blind)
    owned = [command.remote_id for command in world.commands.values() if command.remote_id]
    assert len(owned) == len(set(owned))
    assert set(owned) == set(world.remote)
    for command in world.commands.values():
        assert command.status not in IN_FLIGHT
    held_by_us = {command.remote_id for command in _ours(world)}
    for remote_id, remote in world.remote.items():
        if remote.owner is not None and remote_id not in held_by_us:
            assert world.commands[remote.owner].remote_id, "its command holds another row in its place"
            assert remote.owner in world.match_uncertain, "and it says so"


@settings(max_examples=300, deadline=None)
@given(offsets, steps, st.booleans())
def test_in_a_calm_history_each_command_gets_its_own_row_only(
    offset: timedelta, history: list[Step], blind: bool
) -> None:
    world = _lived(True, offset, history, blind)
    truth = {remote.owner: remote_id for remote_id, remote in world.remote.items() if remote.owner}
    for command in _ours(world):
        assert command.remote_id == truth.get(command.id, "")
        final = world.remote[command.remote_id].final if command.remote_id else Status.UNCONFIRMED
        assert command.status == final


@settings(max_examples=100, deadline=None)
@given(offsets, skews, skews, st.integers(0, 100))
def test_foreign_row_beside_our_own_is_adopted_as_uncertain(
    offset: timedelta, ours: int, theirs: int, seconds: int
) -> None:
    world = World(False, offset)
    place = ("laptop", Kind.PCAP)
    world.apply_step(Send(place, Fate.ANSWER_LOST, seconds, ours))
    world.apply_step(Foreign(place, theirs, "reg-laptop"))
    world.wait(seconds + 10)
    adoptions = [decision for decision in world.list(HONEST) if isinstance(decision, Adopt)]
    assert [adoption.match_uncertain for adoption in adoptions] == [True]
