"""Other captures that count as a cause, because they may have run on the Windows machine at the same time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from commands.queries import causes
from commands.rules.states import Status
from tests.people import make_account, make_person
from tests.rows import make_command, make_run

pytestmark = pytest.mark.django_db

MACHINE = {"device_id": "d1", "platform": "windows"}


@pytest.mark.parametrize(
    ("status", "created", "updated", "is_cause"),
    [
        pytest.param(Status.PENDING_UPLOAD, 5, 5, True, id="runs"),
        pytest.param(Status.UNCONFIRMED, 5, 5, True, id="silent since it began"),
        pytest.param(Status.SUCCESS, 5, -1, True, id="ended after the failed one began"),
        pytest.param(Status.SUCCESS, 5, 4, False, id="ended before the failed one began"),
        pytest.param(Status.PENDING_EXEC, 60, 60, False, id="began so long ago that it is over"),
        pytest.param(Status.UNCONFIRMED, 60, 0, False, id="silent for an hour"),
        pytest.param(Status.FAILED, 60 * 24 * 30, -1, False, id="of last month, imported since"),
    ],
)
def test_capture_without_an_end_is_a_cause_only_while_it_may_have_run(
    status: Status, created: float, updated: float, is_cause: bool
) -> None:
    """Create another command, created and last updated so many minutes before the failed one."""
    account, person = make_account(), make_person("helpdesk", "helpdesk")
    born = timezone.now() - timedelta(minutes=3)
    times = {"remote_created_at": born - timedelta(minutes=created), "status_at": born - timedelta(minutes=updated)}
    make_command(make_run(account, person), status, kind="warp-diag", **(times | MACHINE))
    ended = {"remote_created_at": born, "remote_completed_at": born + timedelta(seconds=3)}
    failed = make_command(make_run(account, person), Status.FAILED, **(ended | MACHINE))
    assert [cause.code for cause in causes.of_one(failed)] == ["other_capture" if is_cause else "windows"]
