"""Leases: taking, extending and losing them."""

import time
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from commands import clock
from commands.actions.record import leases
from commands.models import AccountSync
from tests.actions.racing import race
from tests.people import make_account
from tests.polling import MAX_WAIT

LEASE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def _rows() -> QuerySet[AccountSync]:
    return AccountSync.objects.order_by("account_id")


def _age(row: AccountSync, by: timedelta) -> None:
    assert row.lease_until is not None
    AccountSync.objects.filter(pk=row.pk).update(lease_until=row.lease_until - by)


@pytest.fixture
def row() -> AccountSync:
    return AccountSync.objects.get(account=make_account())


@pytest.mark.django_db
def test_database_clock_is_aware_and_agrees_with_ours() -> None:
    before = timezone.now()
    at = clock.database_now()
    assert before - timedelta(milliseconds=1) <= at <= timezone.now(), "SQLite's clock has milliseconds"


@pytest.mark.django_db
def test_taking_a_lease_sets_token_and_end_and_counts_the_attempt(row: AccountSync) -> None:
    before = clock.database_now()
    taken = leases.take(_rows(), lasting=LEASE)
    assert taken is not None
    assert taken.lease_until is not None
    assert taken.attempts == 1
    assert before + LEASE <= taken.lease_until <= clock.database_now() + LEASE
    row.refresh_from_db()
    assert (row.lease_token, row.attempts) == (taken.lease_token, 1)


@pytest.mark.django_db
def test_leased_row_is_not_free_until_the_lease_runs_out(row: AccountSync) -> None:
    first = leases.take(_rows(), lasting=LEASE)
    assert first is not None
    assert leases.take(_rows(), lasting=LEASE) is None
    _age(first, LEASE)
    second = leases.take(_rows(), lasting=LEASE)
    assert second is not None
    assert second.attempts == 2
    assert second.lease_token != first.lease_token


@pytest.mark.django_db
def test_worker_without_its_lease_writes_nothing(row: AccountSync) -> None:
    late = leases.take(_rows(), lasting=LEASE)
    assert late is not None
    _age(late, LEASE)
    owner = leases.take(_rows(), lasting=LEASE)
    assert owner is not None
    assert not leases.renew(late, lasting=LEASE)
    assert not leases.hand_back(late)
    assert not AccountSync.objects.filter(leases.is_holder(late)).exists()
    assert AccountSync.objects.filter(leases.is_holder(owner)).exists()


@pytest.mark.django_db
def test_renewed_lease_lasts_from_now(row: AccountSync) -> None:
    taken = leases.take(_rows(), lasting=SECOND)
    assert taken is not None
    before = clock.database_now()
    assert leases.renew(taken, lasting=LEASE)
    row.refresh_from_db()
    assert row.lease_until is not None
    assert row.lease_until >= before + LEASE


@pytest.mark.django_db
def test_returned_row_is_free_at_once_or_from_its_time_on(row: AccountSync) -> None:
    taken = leases.take(_rows(), lasting=LEASE)
    assert taken is not None
    assert leases.hand_back(taken)
    taken = leases.take(_rows(), lasting=LEASE)
    assert taken is not None
    assert taken.attempts == 1
    assert leases.hand_back(taken, attempts=1, not_before=clock.database_now() + LEASE)
    assert leases.take(_rows(), lasting=LEASE) is None
    AccountSync.objects.update(not_before=clock.database_now())
    again = leases.take(_rows(), lasting=LEASE)
    assert again is not None
    assert again.attempts == 2


@pytest.mark.django_db(transaction=True)
def test_each_row_goes_to_one_of_many_workers() -> None:
    for number in range(3):
        make_account(f"Account {number}")
    taken = race(_take_one, threads=6)
    got = [pk for pk in taken if pk is not None]
    assert len(got) == len(set(got))
    assert AccountSync.objects.filter(attempts=1, lease_token__isnull=False).count() == len(got)
    assert AccountSync.objects.filter(attempts__gt=1).count() == 0
    while (left := _take_one()) is not None:  # PostgreSQL skips what a rival just holds; none may stay behind
        got.append(left)
    assert len(got) == 3


def _take_one() -> UUID | None:
    row = leases.take(_rows(), lasting=LEASE)
    return row.pk if row else None


@pytest.mark.django_db
@pytest.mark.parametrize("away", [OperationalError, InterfaceError, InternalError, IntegrityError])
def test_write_is_repeated_until_the_database_is_back(away: type[Exception]) -> None:
    failures = [away("away"), away("away")]
    written: list[str] = []

    def write() -> None:
        if failures:
            raise failures.pop()
        written.append("answer")

    leases.retry_while_database_is_down(write, until=time.monotonic() + MAX_WAIT, every=0.001)
    assert written == ["answer"]


@pytest.mark.django_db
def test_write_is_not_repeated_beyond_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    tries, slept = [], [0.0]
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))

    def write() -> None:
        tries.append(sum(slept))
        raise OperationalError("away")

    with pytest.raises(OperationalError):
        leases.retry_while_database_is_down(write, until=10, every=3)
    assert tries == [0, 3, 6, 9]


@pytest.mark.django_db
def test_write_is_not_repeated_after_a_programming_error() -> None:
    tries = []

    def write() -> None:
        tries.append(1)
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        leases.retry_while_database_is_down(write, until=time.monotonic() + MAX_WAIT)
    assert len(tries) == 1


@pytest.mark.django_db
def test_long_work_keeps_its_lease_and_notices_its_loss(row: AccountSync, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = leases.take(_rows(), lasting=LEASE)
    assert taken is not None
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: 0.0))
    lease = leases.KeptAlive(taken, lasting=LEASE * 10)
    assert lease.is_held(), "nothing to renew yet"
    row.refresh_from_db()
    assert row.lease_until == taken.lease_until
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: 151.0))
    assert lease.is_held()
    row.refresh_from_db()
    assert row.lease_until is not None
    assert taken.lease_until is not None
    assert row.lease_until > taken.lease_until + LEASE
    AccountSync.objects.update(lease_token=UUID(int=7))
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: 302.0))
    assert not lease.is_held()
