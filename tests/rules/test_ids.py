"""Ids that sort by their time."""

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
def test_id_is_a_uuid_of_version_7(at: datetime) -> None:
    for id_ in (new_id(at), first_id(at)):
        assert (id_.version, id_.variant) == (7, RFC_4122)


@given(instants)
def test_id_holds_its_time_to_the_millisecond(at: datetime) -> None:
    passed = at - datetime(1970, 1, 1, tzinfo=UTC)
    assert abs((new_id(at).int >> 80) - passed / timedelta(milliseconds=1)) <= 1


@given(instants, milliseconds)
def test_id_of_a_later_millisecond_is_greater(at: datetime, later: timedelta) -> None:
    assert new_id(at) < new_id(at + later)


@given(instants)
def test_ids_of_the_same_time_increase(at: datetime) -> None:
    ids = [new_id(at) for _ in range(50)]
    assert ids == sorted(set(ids))


@given(instants, milliseconds)
def test_range_of_times_is_a_range_of_ids(at: datetime, later: timedelta) -> None:
    assert first_id(at) <= new_id(at) < first_id(at + later) <= new_id(at + later)


def test_ids_of_many_threads_are_unique_and_increase_in_each_thread() -> None:
    def make(_worker: int) -> list[UUID]:
        return [new_id(AT) for _ in range(500)]

    with ThreadPoolExecutor(8) as pool:
        ids_by_thread = list(pool.map(make, range(8)))
    assert all(ids == sorted(ids) for ids in ids_by_thread)
    assert len({id_ for ids in ids_by_thread for id_ in ids}) == 8 * 500


def test_time_zone_does_not_change_an_id() -> None:
    assert first_id(AT) == first_id(AT.astimezone(timezone(timedelta(hours=9))))


def test_naive_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="aware"):
        new_id(AT.replace(tzinfo=None))


def test_ids_increase_within_a_millisecond_even_if_callers_alternate_between_times() -> None:
    instants = (AT, AT + timedelta(hours=1))
    ids = [new_id(instants[n % 2]) for n in range(1000)]
    assert ids[::2] == sorted(ids[::2])
    assert ids[1::2] == sorted(ids[1::2])
