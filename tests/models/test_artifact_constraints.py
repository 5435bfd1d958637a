"""Database constraints of artifacts, generated from `rules/states.py`."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from commands.models import Artifact, Run
from commands.rules.states import HAS_FILE, ArtifactStatus, Status
from tests.rows import make_artifact, make_command

LEASED = {ArtifactStatus.FETCHING, ArtifactStatus.READING}
WHOLE = ["size", "sha256", "stored_at"]
STRANGE = ["", "WANTED", "fetched", "queued", "SUCCESS"]


def valid_columns(status: str) -> dict[str, object]:
    """Return the column values that a row of this status needs."""
    now = timezone.now()
    file = {"size": 10, "sha256": "0" * 64, "stored_at": now} if status in HAS_FILE else {}
    lease = {"lease_token": uuid4(), "lease_until": now + timedelta(minutes=1)} if status in LEASED else {}
    return {**file, **lease}


@pytest.mark.parametrize("status", sorted(ArtifactStatus))
def test_every_known_status_is_accepted(run: Run, status: ArtifactStatus) -> None:
    assert make_artifact(make_command(run, Status.SUCCESS), status, **valid_columns(status)).status == status


@pytest.mark.parametrize("status", STRANGE)
def test_unknown_status_is_refused(run: Run, status: str) -> None:
    artifact = make_artifact(make_command(run, Status.SUCCESS))
    with pytest.raises(IntegrityError, match="artifact_status_known"), transaction.atomic():
        Artifact.objects.filter(id=artifact.id).update(status=status)


@pytest.mark.parametrize("status", sorted(HAS_FILE))
@pytest.mark.parametrize("column", WHOLE)
def test_stored_file_needs_size_hash_and_time(run: Run, status: ArtifactStatus, column: str) -> None:
    values = valid_columns(status) | {column: "" if column == "sha256" else None}
    with pytest.raises(IntegrityError, match="artifact_with_file_is_whole"), transaction.atomic():
        make_artifact(make_command(run, Status.SUCCESS), status, **values)


@pytest.mark.parametrize("status", sorted(LEASED))
@pytest.mark.parametrize("column", ["lease_token", "lease_until"])
def test_work_on_an_artifact_needs_a_lease(run: Run, status: ArtifactStatus, column: str) -> None:
    values = valid_columns(status) | {column: None}
    with pytest.raises(IntegrityError, match="artifact_in_work_is_leased"), transaction.atomic():
        make_artifact(make_command(run, Status.SUCCESS), status, **values)


def test_command_has_at_most_one_artifact(run: Run) -> None:
    command = make_command(run, Status.SUCCESS)
    make_artifact(command)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_artifact(command)


def test_file_name_from_cloudflare_is_not_used_in_the_storage(run: Run) -> None:
    artifact = make_artifact(make_command(run, Status.SUCCESS), filename="../../etc/passwd")
    assert artifact.storage_name == f"{artifact.id.hex[:4]}/{artifact.id}.zip"
