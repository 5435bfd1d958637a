"""Database constraints of all models except commands, artifacts and events."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from commands.models import Account, Credential, Dispatch, Grant, Heartbeat, Run, User
from commands.rules.ids import new_id
from commands.rules.pauses import Operation
from tests import rows

NOW = timezone.now()


def second_account(account: Account) -> None:
    Account.objects.create(id=new_id(NOW), name="Twin", cloudflare_id=account.cloudflare_id, upstream=account.upstream)


def key_without_email(account: Account) -> None:
    Credential.objects.create(name="Key", scheme=Credential.Scheme.KEY)


def second_device(account: Account) -> None:
    rows.make_device(account, device_id="machine", registration_id="one")
    rows.make_device(account, device_id="machine", registration_id="one")


def strange_outcome(account: Account) -> None:
    rows.make_dispatch(account, outcome="lost")


def second_grant(account: Account) -> None:
    group = Group.objects.create(name="Desk")
    Grant.objects.create(group=group, account=account)
    Grant.objects.create(group=group, account=account)


def second_grant_for_all(account: Account) -> None:
    group = Group.objects.create(name="Desk")
    Grant.objects.create(group=group)
    Grant.objects.create(group=group)


def second_heartbeat(account: Account) -> None:
    Heartbeat.objects.create(role=Heartbeat.Role.BEAT, instance="host 1", seen_at=NOW)
    Heartbeat.objects.create(role=Heartbeat.Role.BEAT, instance="host 1", seen_at=NOW)


def second_pause(account: Account) -> None:
    rows.make_pause(account, Operation.LIST)
    rows.make_pause(account, Operation.LIST)


def strange_operation(account: Account) -> None:
    rows.make_pause(account, "dance")


def second_notification(account: Account) -> None:
    pause = rows.make_pause(account)
    rows.make_notification(pause, dedupe_key="same")
    rows.make_notification(pause, dedupe_key="same")


def strange_notification(account: Account) -> None:
    rows.make_notification(rows.make_pause(account), kind="gossip")


def second_person_with_an_address(account: Account) -> None:
    User.objects.create(username="ann", email="ann@example.com")
    User.objects.create(username="other", email="Ann@Example.com")


VIOLATIONS: dict[str, Callable[[Account], None]] = {
    "account_once_per_upstream": second_account,
    "credential_key_has_email": key_without_email,
    "device_once_a_registration": second_device,
    "dispatch_outcome_known": strange_outcome,
    "grant_once_an_account": second_grant,
    "grant_once_for_all_accounts": second_grant_for_all,
    "heartbeat_once_an_instance": second_heartbeat,
    "notification_kind_known": strange_notification,
    "notification_once_a_key": second_notification,
    "pause_once_an_operation": second_pause,
    "pause_operation_known": strange_operation,
    "user_email_unique": second_person_with_an_address,
}
ELSEWHERE = {"command_", "artifact_", "event_"}  # in the files of their own
RUNS = {"run_once_a_form"}


@pytest.mark.parametrize("constraint", VIOLATIONS)
def test_database_refuses(account: Account, constraint: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        VIOLATIONS[constraint](account)


def test_second_submit_of_a_form_creates_no_second_run(run: Run) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.make_run(run.account, run.requested_by, form_key=run.form_key)
    rows.make_run(run.account, run.requested_by, form_key=uuid4())


def test_every_constraint_has_a_test_that_violates_it() -> None:
    ours = {c.name for model in apps.get_app_config("commands").get_models() for c in model._meta.constraints}
    named = {name for name in ours if not name.startswith(tuple(ELSEWHERE))}
    assert named == {*VIOLATIONS, *RUNS}


@pytest.mark.parametrize("outcome", Dispatch.Outcome.values)
def test_every_outcome_of_a_dispatch_is_accepted(account: Account, outcome: str) -> None:
    assert rows.make_dispatch(account, outcome=outcome).outcome == outcome


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_can_be_paused(account: Account, operation: Operation) -> None:
    assert rows.make_pause(account, operation).operation == operation


def test_notifications_without_a_key_do_not_exclude_each_other(account: Account) -> None:
    pause = rows.make_pause(account)
    assert rows.make_notification(pause) != rows.make_notification(pause)


def test_rows_that_the_history_names_cannot_be_deleted(run: Run) -> None:
    for named in (run.account, run.requested_by):
        with pytest.raises(ProtectedError):
            named.delete()


def test_credential_in_use_cannot_be_deleted(account: Account) -> None:
    assert account.credential is not None
    with pytest.raises(ProtectedError):
        account.credential.delete()
