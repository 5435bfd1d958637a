"""Pairing of requested and created commands."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.cloudflare.match_response import pair
from commands.cloudflare.types import Created, NewCommand

NO_DEADLINE = settings(deadline=None)  # no test may fail because the machine is busy


def requested(device: str, kind: str = "pcap", registration: str = "") -> NewCommand:
    return NewCommand(device, kind, "ann@example.com", registration)


def returned(id_: str, device: str, kind: str = "pcap", registration: str = "") -> Created:
    return Created(id_, kind, "PENDING_EXEC", device, registration)


def test_created_commands_are_paired_by_device_and_kind_in_any_order() -> None:
    items = [requested("D1 ", "pcap", "R1"), requested("d1", "warp-diag"), requested("d2")]
    created = [
        returned("c", "d2"),
        returned("b", "d1", "warp-diag", "r9"),
        returned("a", "d1", "pcap", "r1"),
    ]
    pairing = pair(items, created)
    assert [(index, entry.id) for index, entry in pairing.pairs] == [(0, "a"), (1, "b"), (2, "c")]
    assert (pairing.missing, pairing.unmatched) == ((), ())


def test_registrations_are_compared_only_if_both_sides_have_one() -> None:
    assert pair([requested("d1", registration="r1")], [returned("a", "d1")]).missing == ()
    assert pair([requested("d1")], [returned("a", "d1", registration="r1")]).missing == ()
    other = pair([requested("d1", registration="r1")], [returned("a", "d1", registration="r2")])
    assert (other.missing, [entry.id for entry in other.unmatched]) == ((0,), ["a"])


def test_equal_registrations_are_paired_before_absent_ones() -> None:
    pairing = pair(
        [requested("d1"), requested("d1", registration="r2")],
        [returned("a", "d1", registration="r2"), returned("b", "d1")],
    )
    assert [(index, entry.id) for index, entry in pairing.pairs] == [(0, "b"), (1, "a")]


@pytest.mark.parametrize(
    ("items", "created"),
    [
        ([requested("d1", registration="r1"), requested("d1", registration="r2")], [returned("a", "d1")]),
        ([requested("d1")], [returned("a", "d1"), returned("b", "d1")]),
        ([requested("d1")], [returned("", "d1")]),
        ([requested("d1")], [returned("a", "d1", "warp-diag")]),
        ([requested("d1")], [returned("a", "d1", "")]),
        ([requested("d1"), requested("d2")], [returned("a", "d1"), returned("a", "d2")]),
    ],
    ids=["two requested", "two created", "no id", "another kind", "no kind", "one id twice"],
)
def test_ambiguous_commands_are_not_paired(items: list[NewCommand], created: list[Created]) -> None:
    pairing = pair(items, created)
    assert pairing.pairs == ()
    assert pairing.missing == tuple(range(len(items)))
    assert set(pairing.unmatched) == set(created)


def test_duplicate_created_command_counts_once() -> None:
    pairing = pair([requested("d1")], [returned("a", "d1"), returned("a", "d1")])
    assert [entry.id for _, entry in pairing.pairs] == ["a"]
    assert pairing.unmatched == ()


REQUESTED = st.builds(
    requested, st.sampled_from("ab"), st.sampled_from(["pcap", "warp-diag"]), st.sampled_from(["", "r", "s"])
)
CREATED = st.builds(
    returned,
    st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from("abc"),
    st.sampled_from(["pcap", ""]),
    st.sampled_from(["", "r"]),
)


@NO_DEADLINE
@given(st.lists(REQUESTED, max_size=6), st.lists(CREATED, max_size=6))
def test_each_requested_command_is_paired_or_missing_and_each_id_is_used_once(
    items: list[NewCommand], created: list[Created]
) -> None:
    pairing = pair(items, created)
    owners = [index for index, _ in pairing.pairs]
    assert sorted([*owners, *pairing.missing]) == list(range(len(items)))
    ids = [entry.id for _, entry in pairing.pairs]
    assert len(ids) == len(set(ids))
    assert "" not in ids
    assert {entry for _, entry in pairing.pairs} | set(pairing.unmatched) == set(created)
