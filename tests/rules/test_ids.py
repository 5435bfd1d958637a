"""Ids are their own order."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.rules.ids import first_id, new_id

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (zone given)
milliseconds = st.integers(1, 10**9).map(lambda number: timedelta(milliseconds=number))


@given(instants)
def test_an_id_is_a_uuid_of_version_7_with_the_rfcs_variant(at: datetime) -> None:
    for made in (new_id(at), first_id(at)):
        assert (made.version, made.variant) == (7, RFC_4122)


@given(instants)
def test_an_id_carries_its_instant_to_the_millisecond(at: datetime) -> None:
    passed = at - datetime(1970, 1, 1, tzinfo=UTC)
    assert abs((new_id(at).int >> 80) - passed / timedelta(milliseconds=1)) <= 1


@given(instants, milliseconds)
def test_the_id_of_a_later_millisecond_is_greater(at: datetime, later: timedelta) -> None:
    assert new_id(at) < new_id(at + later)


@given(instants)
def test_ids_of_one_instant_increase(at: datetime) -> None:
    made = [new_id(at) for _ in range(50)]
    assert made == sorted(set(made))


@given(instants, milliseconds)
def test_a_range_of_instants_is_a_range_of_ids(at: datetime, later: timedelta) -> None:
    assert first_id(at) <= new_id(at) < first_id(at + later) <= new_id(at + later)


def test_many_threads_make_no_id_twice_and_each_its_own_in_order() -> None:
    def make(_worker: int) -> list[UUID]:
        return [new_id(AT) for _ in range(500)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert all(ids == sorted(ids) for ids in made)
    assert len({one for ids in made for one in ids}) == 8 * 500


def test_the_zone_of_an_instant_does_not_matter() -> None:
    assert first_id(AT) == first_id(AT.astimezone(timezone(timedelta(hours=9))))


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        new_id(AT.replace(tzinfo=None))


def test_ids_increase_within_a_millisecond_though_callers_alternate_between_instants() -> None:
    instants = (AT, AT + timedelta(hours=1))
    made = [new_id(instants[n % 2]) for n in range(1000)]
    assert made[::2] == sorted(made[::2])
    assert made[1::2] == sorted(made[1::2])
