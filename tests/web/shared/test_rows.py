"""Row of one command in a list: what a person reads about it."""

from datetime import timedelta
from typing import Any

import pytest

from commands.access import Right
from commands.models import Artifact, Command
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import DONE, HAS_FILE, OPEN, TONES, ArtifactStatus, Status
from commands.web.shared import rows
from commands.web.shared.rows import ListSubject, Progress, TableRow, TextLink
from tests.web.unsaved import (
    ACCOUNT_ID,
    HELPDESK,
    NOW,
    READER,
    row_of,
    started_elsewhere,
    unsaved_artifact,
    unsaved_command,
    unsaved_user,
)

PERSON_URL = f"/people/maria@example.com/?account={ACCOUNT_ID}"
DEVICE_URL = f"/devices/d0000000000000000000000000000042/?account={ACCOUNT_ID}"
RUNNING = {Status.SENDING, Status.PENDING_EXEC, Status.PENDING_UPLOAD}


def shown_row(
    command: Command,
    artifact: Artifact | None = None,
    *,
    rights: Any = HELPDESK,
    captures_beside: bool = False,
    **values: Any,
) -> TableRow:
    row = row_of(command, artifact, captures_beside=captures_beside)
    return rows.build(row, viewer=unsaved_user(), rights=rights, now=NOW, **values)


# --- Status

LABELS = {
    Status.AWAITING_APPROVAL: "Awaiting approval",
    Status.WAITING_DEVICE: "Waiting for device",
    Status.QUEUED: "Queued",
    Status.SENDING: "Sending",
    Status.UNCERTAIN: "Uncertain",
    Status.PENDING_EXEC: "Running",
    Status.PENDING_UPLOAD: "Uploading",
    Status.UNCONFIRMED: "Unconfirmed",
    Status.SUCCESS: "Done",
    Status.FAILED: "Failed",
    Status.REJECTED: "Rejected",
    Status.DECLINED: "Declined",
    Status.WITHDRAWN: "Withdrawn",
    Status.EXPIRED: "Expired",
}


@pytest.mark.parametrize("status", Status)
def test_chip_has_the_label_and_the_tone_of_the_status(status: Status) -> None:
    chip = shown_row(unsaved_command(status)).chip
    assert (chip.label, chip.tone) == (LABELS[status], TONES[status])


def test_chip_explains_the_status_if_there_is_no_reason() -> None:
    assert shown_row(unsaved_command(Status.WITHDRAWN)).chip.sentence == "It was withdrawn before it was sent."


def test_chip_has_the_reason_if_there_is_one() -> None:
    command = unsaved_command(Status.EXPIRED, reason_code=CommandReasonCode.NOT_SENT_IN_TIME)
    assert shown_row(command).chip.sentence == "It could not be sent in time."


# --- Result of each status

RESULTS = {
    Status.AWAITING_APPROVAL: "a second person has to approve it",
    Status.WAITING_DEVICE: "sent as soon as the device connects",
    Status.QUEUED: "waiting to be sent",
    Status.SENDING: "",
    Status.UNCERTAIN: "no clear response from Cloudflare; checking its list",
    Status.PENDING_EXEC: "",
    Status.PENDING_UPLOAD: "",
    Status.UNCONFIRMED: "no response; still checking",
    Status.SUCCESS: "",
    Status.FAILED: "no reason given",
    Status.REJECTED: "Cloudflare refused it.",
    Status.DECLINED: "The approver declined it. It was never sent.",
    Status.WITHDRAWN: "withdrawn before it was sent",
    Status.EXPIRED: "expired before it could be sent",
}


@pytest.mark.parametrize("status", Status)
def test_result_of_a_status_without_a_reason(status: Status) -> None:
    assert shown_row(unsaved_command(status)).result == RESULTS[status]


def test_result_is_the_reason_if_there_is_one() -> None:
    command = unsaved_command(Status.UNCERTAIN, reason_code=CommandReasonCode.SERVER_ERROR)
    assert shown_row(command).result == "Cloudflare failed."


def test_result_has_the_message_of_cloudflare_behind_the_reason() -> None:
    command = unsaved_command(Status.UNCERTAIN, reason_code=CommandReasonCode.SERVER_ERROR, remote_message="Try later")
    assert shown_row(command).result == "Cloudflare failed. Cloudflare's message: “Try later”."


def test_result_of_a_rejected_command_is_the_message_of_cloudflare_alone() -> None:
    command = unsaved_command(
        Status.REJECTED, reason_code=CommandReasonCode.REJECTED, remote_message="Device is revoked"
    )
    assert shown_row(command).result == "Device is revoked"


@pytest.mark.parametrize("status", sorted(RUNNING))
def test_result_of_a_running_command_is_empty_even_with_an_earlier_reason(status: Status) -> None:
    assert shown_row(unsaved_command(status, reason_code=CommandReasonCode.SENT_ALONE)).result == ""


def test_result_of_a_failed_command_is_its_most_probable_cause() -> None:
    command = unsaved_command(
        Status.FAILED,
        platform="mac",
        remote_created_at=NOW - timedelta(minutes=10),
        remote_completed_at=NOW,
    )
    assert shown_row(command).result == "Likely: the device was not connected to Cloudflare for 10 minutes."


def test_failed_capture_beside_another_one_on_windows_names_the_other_one() -> None:
    command = unsaved_command(Status.FAILED)
    assert shown_row(command).result == "no reason given"
    with_other = shown_row(command, captures_beside=True)
    assert with_other.result == "Likely: another capture was running on this Windows device."


# --- Result of each file

FILES = {
    ArtifactStatus.WANTED: "waiting to be downloaded",
    ArtifactStatus.FETCHING: "downloading",
    ArtifactStatus.STORED: "",
    ArtifactStatus.READING: "",
    ArtifactStatus.READ: "",
    ArtifactStatus.UNREADABLE: "",
    ArtifactStatus.TOO_LARGE: "too large",
    ArtifactStatus.GONE: "no longer at Cloudflare",
    ArtifactStatus.REFUSED: "not downloaded",
    ArtifactStatus.PURGED: "deleted here",
}


@pytest.mark.parametrize("status", ArtifactStatus)
def test_result_of_a_file_without_a_reason(status: ArtifactStatus) -> None:
    command = unsaved_command(Status.SUCCESS)
    assert shown_row(command, unsaved_artifact(status, command)).result == FILES[status]


def test_result_of_a_missing_file_has_its_reason() -> None:
    artifact = unsaved_artifact(
        ArtifactStatus.REFUSED, reason_code=ArtifactReason.SERVER_ERROR, remote_message="502 Bad Gateway"
    )
    result = shown_row(artifact.command, artifact).result
    assert result == "Not downloaded: Cloudflare failed. “502 Bad Gateway”"


def test_result_of_a_stored_file_tells_what_it_lacks() -> None:
    artifact = unsaved_artifact(ArtifactStatus.READ, reason_code=ArtifactReason.MISSING_TUNNEL_CAPTURE)
    assert shown_row(artifact.command, artifact).result == "Incomplete: the tunnel capture is missing."


# --- Download


@pytest.mark.parametrize("status", ArtifactStatus)
def test_file_can_be_downloaded_where_it_is_stored(status: ArtifactStatus) -> None:
    artifact = unsaved_artifact(status, size=1234)
    row = shown_row(artifact.command, artifact, rights=[Right.SEE, Right.SEE_CONTENTS])
    url = f"/commands/{artifact.command.id}/download"
    assert (row.download_url, row.size) == ((url, 1234) if status in HAS_FILE else ("", None))


def test_viewer_without_the_right_to_see_contents_sees_the_size_and_no_link() -> None:
    artifact = unsaved_artifact(ArtifactStatus.READ, size=1234)
    row = shown_row(artifact.command, artifact, rights=HELPDESK)
    assert (row.download_url, row.size) == ("", 1234)


# --- Time


@pytest.mark.parametrize("status", Status)
def test_row_has_the_time_of_its_end_once_it_has_ended(status: Status) -> None:
    command = unsaved_command(status)
    assert shown_row(command).ended_at == (command.status_at if status in DONE else None)


@pytest.mark.parametrize("status", Status)
def test_row_is_live_until_its_status_is_final(status: Status) -> None:
    assert shown_row(unsaved_command(status)).is_live == (status in OPEN)


@pytest.mark.parametrize("status", Status)
def test_progress_is_shown_while_a_command_is_sent_runs_or_uploads(status: Status) -> None:
    assert (shown_row(unsaved_command(status)).progress is not None) == (status in RUNNING)


def test_progress_of_a_capture_knows_how_long_it_takes() -> None:
    command = unsaved_command(Status.PENDING_EXEC, status_at=NOW - timedelta(seconds=45))
    assert shown_row(command).progress == Progress(command.status_at, total=120, elapsed=45)


def test_progress_of_other_kinds_has_no_total() -> None:
    command = unsaved_command(Status.PENDING_EXEC, kind="warp-diag", options={})
    assert shown_row(command).progress == Progress(command.status_at, total=None, elapsed=60)


def test_upload_has_no_total() -> None:
    command = unsaved_command(Status.PENDING_UPLOAD)
    assert shown_row(command).progress == Progress(command.status_at, total=None, elapsed=60)


def test_progress_is_as_fast_as_the_scaled_time(settings: Any) -> None:
    settings.TIME_SCALE = 60
    command = unsaved_command(Status.PENDING_EXEC)
    assert shown_row(command).progress == Progress(command.status_at, total=2, elapsed=60)


def test_progress_never_takes_less_than_a_second(settings: Any) -> None:
    settings.TIME_SCALE = 10_000
    progress = shown_row(unsaved_command(Status.PENDING_EXEC)).progress
    assert progress is not None
    assert progress.total == 1


def test_status_of_a_clock_that_is_ahead_has_not_run_yet() -> None:
    command = unsaved_command(Status.PENDING_EXEC, status_at=NOW + timedelta(seconds=5))
    progress = shown_row(command).progress
    assert progress is not None
    assert progress.elapsed == 0


# --- Person and device


def test_row_of_any_list_names_person_and_device() -> None:
    row = shown_row(unsaved_command())
    assert row.who == TextLink("maria@example.com", PERSON_URL)
    assert row.device == TextLink("LAP-0042", DEVICE_URL)
    assert row.platform == "Windows"


def test_row_of_a_person_names_the_device_alone() -> None:
    row = shown_row(unsaved_command(), subject=ListSubject.PERSON)
    assert (row.who, row.device, row.platform) == (TextLink("LAP-0042", DEVICE_URL), None, "Windows")


def test_row_of_a_device_names_the_person_alone() -> None:
    row = shown_row(unsaved_command(), subject=ListSubject.DEVICE)
    assert (row.who, row.device, row.platform) == (TextLink("maria@example.com", PERSON_URL), None, "")


def test_row_without_a_person_has_a_dash_without_a_link() -> None:
    row = shown_row(unsaved_command(email=""))
    assert row.who == TextLink("—", "")
    assert row.target == "LAP-0042"


def test_device_without_a_name_is_shown_by_its_id() -> None:
    row = shown_row(unsaved_command(device_name=""))
    assert row.device == TextLink("d0000000000000000000000000000042", DEVICE_URL)
    assert row.target == "d0000000000000000000000000000042 (maria@example.com)"


def test_text_that_no_address_can_hold_has_no_link() -> None:
    row = shown_row(unsaved_command(email="a/b@example.com", device_id="d/1"))
    assert row.who == TextLink("a/b@example.com", "")
    assert row.device == TextLink("LAP-0042", "")


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("windows", "Windows"),
        ("mac", "macOS"),
        ("linux", "Linux"),
        ("ios", "iOS"),
        ("android", "Android"),
        ("plan9", "plan9"),
        ("", ""),
    ],
)
def test_platforms_have_their_own_spelling(platform: str, name: str) -> None:
    assert rows.platform_name(platform) == name


# --- Command


def test_row_names_kind_options_and_ticket() -> None:
    row = shown_row(unsaved_command(ticket="INC-1", options={"time-limit-min": 2, "max-file-size-mb": 20}))
    assert (row.kind, row.options) == ("Packet capture", "2 min · 20 MB")
    assert row.ticket == TextLink("INC-1", f"/history/?account={ACCOUNT_ID}&ticket=INC-1")


def test_row_without_a_ticket_has_no_link() -> None:
    assert shown_row(unsaved_command()).ticket == TextLink("", "")


def test_unknown_kind_is_shown_as_cloudflare_lists_it() -> None:
    row = shown_row(started_elsewhere(kind="remote-shell", options={"time-limit-min": 2}))
    assert (row.kind, row.options) == ("remote-shell", "")


def test_requester_is_the_viewer_another_user_or_somebody_elsewhere() -> None:
    omar = unsaved_user("omar", pk=8, first_name="Omar", last_name="Diaz")
    assert shown_row(unsaved_command()).requester == "you"
    assert shown_row(unsaved_command(requested_by=omar)).requester == "Omar Diaz"
    assert shown_row(started_elsewhere()).requester == "started elsewhere"


def test_row_links_to_its_command() -> None:
    command = unsaved_command()
    assert shown_row(command).url == f"/commands/{command.id}/"


# --- Operations


def test_row_offers_operations_to_a_viewer_with_the_right_to_run() -> None:
    assert shown_row(unsaved_command(Status.QUEUED)).operations == "withdraw"
    assert shown_row(unsaved_command(Status.QUEUED), rights=READER).operations == ""


def test_command_on_hold_can_be_sent_now_by_a_viewer_with_the_right_to_run() -> None:
    command = unsaved_command(Status.QUEUED, held_at=NOW)
    assert shown_row(command).send_now_url == f"/commands/{command.id}/send-now"
    assert shown_row(command, rights=READER).send_now_url == ""
    assert shown_row(unsaved_command(Status.QUEUED)).send_now_url == ""
