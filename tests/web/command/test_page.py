"""Page of one command: what was requested, what happened, and its file."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from commands.access import Right
from commands.models import Artifact, Command
from commands.rules.artifact_reasons import ArtifactReason
from commands.rules.causes import Cause, CauseCode, Confidence
from commands.rules.reasons import CommandReasonCode
from commands.rules.states import ARTIFACT_TONES, DONE, HAS_FILE, OPEN, UNSENT, ArtifactStatus, Status
from commands.web.command import page
from commands.web.command.page import CommandPage, ResultFile
from tests.web.unsaved import (
    ACCOUNT_ID,
    HELPDESK,
    NOW,
    READER,
    started_elsewhere,
    unsaved_artifact,
    unsaved_command,
    unsaved_run,
    unsaved_user,
)

COMING = {ArtifactStatus.WANTED, ArtifactStatus.FETCHING, ArtifactStatus.READING}


def shown_command(
    command: Command, artifact: Artifact | None = None, *, causes: Sequence[Cause] = (), rights: Any = HELPDESK
) -> CommandPage:
    return page.build(
        command, [], artifact, causes, viewer=unsaved_user(), rights=frozenset(rights), token="4.0", now=NOW
    )


def shown_file(status: ArtifactStatus, *, rights: Any = (Right.SEE, Right.SEE_CONTENTS), **values: Any) -> ResultFile:
    artifact = unsaved_artifact(status, **values)
    shown = shown_command(artifact.command, artifact, rights=rights).file
    assert shown is not None
    return shown


# --- What was requested


def test_title_names_kind_and_device() -> None:
    assert shown_command(unsaved_command()).title == "Packet capture on LAP-0042"
    assert shown_command(unsaved_command(device_name="", device_id="d42")).title == "Packet capture on d42"


def test_page_links_to_person_device_run_and_ticket() -> None:
    run = unsaved_run()
    shown = shown_command(unsaved_command(run=run, ticket="INC-1"))
    assert shown.person_url == f"/people/maria@example.com/?account={ACCOUNT_ID}"
    assert shown.device_url == f"/devices/d0000000000000000000000000000042/?account={ACCOUNT_ID}"
    assert shown.run_url == f"/runs/{run.id}/"
    assert shown.ticket_url == f"/history/?account={ACCOUNT_ID}&ticket=INC-1"


def test_page_tells_why_the_command_was_requested() -> None:
    shown = shown_command(unsaved_command(run=unsaved_run(purpose="Support", reason="VPN slow")))
    assert (shown.purpose, shown.reason, shown.requester) == ("Support", "VPN slow", "you")
    assert (shown.kind, shown.options, shown.platform) == ("Packet capture", "2 min", "Windows")


def test_command_that_was_started_elsewhere_has_neither_run_nor_reason() -> None:
    shown = shown_command(started_elsewhere())
    assert (shown.run_url, shown.purpose, shown.reason) == ("", "", "")
    assert shown.requester == "started elsewhere"


def test_device_that_cloudflare_did_not_list_is_not_verified() -> None:
    assert shown_command(unsaved_command()).is_verified
    assert not shown_command(unsaved_command(listed=False)).is_verified


# --- Status


@pytest.mark.parametrize("status", Status)
def test_sentence_explains_the_status(status: Status) -> None:
    shown = shown_command(unsaved_command(status))
    assert shown.sentence == shown.chip.sentence
    assert shown.sentence.endswith(".")


def test_sentence_is_the_reason_if_there_is_one() -> None:
    command = unsaved_command(Status.EXPIRED, reason_code=CommandReasonCode.NOT_SENT_IN_TIME)
    assert shown_command(command).sentence == "It could not be sent in time."


@pytest.mark.parametrize("status", Status)
def test_ended_command_tells_how_long_it_took(status: Status) -> None:
    command = unsaved_command(status, requested_at=NOW - timedelta(seconds=702), status_at=NOW)
    assert shown_command(command).took == ("11:42" if status in DONE else "")


@pytest.mark.parametrize("status", Status)
def test_page_polls_often_until_the_command_has_ended(status: Status) -> None:
    assert shown_command(unsaved_command(status)).poll_seconds == (3 if status in OPEN else 30)


@pytest.mark.parametrize("status", ArtifactStatus)
def test_page_polls_often_until_the_file_is_settled(status: ArtifactStatus) -> None:
    artifact = unsaved_artifact(status)
    assert shown_command(artifact.command, artifact).poll_seconds == (3 if status in COMING else 30)


def test_poll_asks_for_changes_since_the_token() -> None:
    command = unsaved_command()
    assert shown_command(command).poll_url == f"/commands/{command.id}/?token=4.0"


# --- Operations


@pytest.mark.parametrize("status", Status)
def test_page_offers_operations_to_a_viewer_with_the_right_to_run(status: Status) -> None:
    offered = shown_command(unsaved_command(status)).operations
    assert (bool(offered.withdraw_url), bool(offered.again_url)) == (status in UNSENT, status in DONE)


@pytest.mark.parametrize("status", Status)
def test_page_offers_no_operation_without_the_right_to_run(status: Status) -> None:
    offered = shown_command(unsaved_command(status), rights=READER).operations
    assert (offered.withdraw_url, offered.again_url) == ("", "")


# --- Causes


def test_probable_causes_are_listed_in_their_order() -> None:
    causes = [
        Cause(CauseCode.CAPTURE_TOO_LARGE, Confidence.LIKELY, megabytes=20),
        Cause(CauseCode.NOT_CONNECTED, Confidence.POSSIBLE),
    ]
    assert shown_command(unsaved_command(Status.FAILED), causes=causes).causes == [
        "Likely: the capture exceeded its limit of 20 MB and was not uploaded.",
        "Possible: the device was not connected to Cloudflare for 10 minutes.",
    ]


@pytest.mark.parametrize("status", ArtifactStatus)
def test_causes_include_what_a_stored_file_lacks(status: ArtifactStatus) -> None:
    artifact = unsaved_artifact(status, reason_code=ArtifactReason.MISSING_CAPTURES)
    lacks = ["Incomplete: both captures are missing."] if status in HAS_FILE else []
    assert shown_command(artifact.command, artifact).causes == lacks


def test_complete_file_has_no_cause() -> None:
    artifact = unsaved_artifact(ArtifactStatus.READ)
    assert shown_command(artifact.command, artifact).causes == []


# --- File

NO_FILE = {
    Status.SUCCESS: "Results of commands started elsewhere aren't downloaded.",
    Status.FAILED: "No file: the command failed.",
    Status.REJECTED: "No file: Cloudflare refused it.",
    Status.UNCONFIRMED: "No file: the outcome is unknown.",
    Status.DECLINED: "No file: it was never sent.",
    Status.WITHDRAWN: "No file: it was never sent.",
    Status.EXPIRED: "No file: it was never sent.",
}


@pytest.mark.parametrize("status", Status)
def test_page_tells_why_there_is_no_file(status: Status) -> None:
    shown = shown_command(unsaved_command(status))
    assert shown.file is None
    assert shown.no_file == ("No file yet." if status in OPEN else NO_FILE[status])


@pytest.mark.parametrize("status", ArtifactStatus)
def test_file_has_the_label_and_the_tone_of_its_status(status: ArtifactStatus) -> None:
    shown = shown_file(status)
    assert shown.chip.tone == ARTIFACT_TONES[status]
    assert shown.sentence == shown.chip.sentence
    assert shown.chip.label


def test_file_has_the_reason_behind_its_sentence() -> None:
    shown = shown_file(ArtifactStatus.REFUSED, reason_code=ArtifactReason.NOT_CONNECTED)
    assert shown.sentence == "The file could not be downloaded from Cloudflare. No connection to Cloudflare."


@pytest.mark.parametrize("status", ArtifactStatus)
def test_file_can_be_downloaded_where_it_is_stored(status: ArtifactStatus) -> None:
    command = unsaved_command(Status.SUCCESS)
    shown = shown_file(status, command=command)
    assert shown.download_url == (f"/commands/{command.id}/download" if status in HAS_FILE else "")
    assert shown.no_download == ""


@pytest.mark.parametrize("status", ArtifactStatus)
def test_viewer_without_the_right_to_see_contents_is_told_why_a_file_has_no_link(status: ArtifactStatus) -> None:
    shown = shown_file(status, rights=HELPDESK)
    assert shown.download_url == ""
    assert shown.no_download == ("You don't have the right to open or download results." if status in HAS_FILE else "")


def test_file_is_saved_under_the_names_of_kind_and_device() -> None:
    command = unsaved_command(Status.SUCCESS)
    assert shown_file(ArtifactStatus.READ, command=command).filename == f"pcap-LAP-0042-{str(command.id)[-6:]}.zip"


def test_file_has_its_size_hash_and_time() -> None:
    shown = shown_file(ArtifactStatus.READ, size=1234, sha256="ab" * 32, stored_at=NOW)
    assert (shown.size, shown.sha256, shown.stored_at) == (1234, "ab" * 32, NOW)


@pytest.mark.parametrize("status", ArtifactStatus)
def test_page_tells_when_cloudflare_deletes_its_copy(status: ArtifactStatus) -> None:
    soon = NOW + timedelta(seconds=1)
    is_there = status is not ArtifactStatus.GONE
    assert shown_file(status, deleted_remotely_at=soon).deleted_remotely_at == (soon if is_there else None)


def test_copy_that_cloudflare_has_deleted_is_not_mentioned() -> None:
    assert shown_file(ArtifactStatus.READ, deleted_remotely_at=NOW).deleted_remotely_at is None
