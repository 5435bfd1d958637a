"""Claims of files to fetch: at most one per account at a time, also with concurrent workers."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from commands.actions.record.leases import released
from commands.actions.results.claim import claim_artifact
from commands.models import Account, Artifact
from commands.rules.states import Status
from tests.actions.racing import race
from tests.people import make_account, make_person
from tests.rows import make_artifact, make_command, make_run

ROUNDS = 5


@pytest.fixture
def accounts() -> list[Account]:
    """Make three accounts with three files to fetch each. The files of the first are the most urgent."""
    person = make_person("helpdesk", "helpdesk")
    accounts = [make_account(name) for name in ("First", "Second", "Third")]
    for place, account in enumerate(accounts):
        for _ in range(3):
            deleted = timezone.now() + timedelta(days=place + 1)
            make_artifact(make_command(make_run(account, person), Status.SUCCESS), deleted_remotely_at=deleted)
    return accounts


def _claimed() -> Account | None:
    artifact = claim_artifact(timezone.now())
    return artifact.command.account if artifact else None


@pytest.mark.django_db
def test_worker_skips_an_account_from_which_another_worker_fetches(accounts: list[Account]) -> None:
    assert [_claimed() for _ in range(4)] == [*accounts, None]
    assert Artifact.objects.filter(status="fetching").count() == 3


@pytest.mark.django_db
def test_expired_lease_of_a_dead_worker_frees_its_account(accounts: list[Account]) -> None:
    assert _claimed() == accounts[0]
    Artifact.objects.filter(status="fetching").update(lease_until=timezone.now() - timedelta(seconds=1))
    assert _claimed() == accounts[0]
    assert _claimed() == accounts[1]


@pytest.mark.django_db(transaction=True)
def test_concurrent_claims_never_take_two_files_of_one_account(accounts: list[Account]) -> None:
    for _ in range(ROUNDS):
        claims = race(_claimed, threads=6)
        taken = Counter(account for account in claims if account)
        assert taken
        assert max(taken.values()) == 1
        Artifact.objects.update(status="wanted", **released())
