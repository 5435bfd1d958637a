"""The SDK, the portal's client and plain HTTP see one world, simulated or real."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.error import HTTPError

import pytest
from cloudflare import APIStatusError, NotFoundError

from commands.cloudflare.errors import NotFound, Refused
from tests.contract.clients import SPEAKERS, Filters, Plain, Portal, Row, Sdk, Speaker
from tests.contract.upstream import Target, Upstream
from tests.polling import eventually

EACH = pytest.mark.parametrize("name", list(SPEAKERS))
NOBODY = "00000000-0000-4000-8000-000000000000"


def row_of(speaker: Speaker, command_id: str, target: Target) -> Row | None:
    rows = speaker.listed(Filters(device_id=target.device_id))
    return next((row for row in rows if row.id == command_id), None)


@EACH
def test_a_command_that_one_of_them_creates_is_listed_by_all(
    name: str, everyone: dict[str, Speaker], upstream: Upstream, target: Target
) -> None:
    made = everyone[name].create(target, "pcap", {"time-limit-min": 1})
    rows = [
        eventually(partial(row_of, speaker, made, target), within=upstream.patience, pause=upstream.pause)
        for speaker in everyone.values()
    ]
    assert {(row.kind, row.device_id, row.user_email) for row in rows} == {
        ("pcap", target.device_id, target.user_email)
    }
    assert len({row.created_at.replace(microsecond=0) for row in rows}) == 1
    assert abs(rows[0].created_at - datetime.now(UTC)) < timedelta(minutes=15)


def test_the_file_of_a_finished_command_is_the_same_for_all(
    everyone: dict[str, Speaker], upstream: Upstream, target: Target
) -> None:
    made = everyone["portal"].create(target, "warp-diag", {"test-all-routes": False})

    def ended() -> Row | None:
        row = row_of(everyone["plain"], made, target)
        return row if row and row.status in {"SUCCESS", "FAILED"} else None

    row = eventually(ended, within=upstream.patience, pause=upstream.pause)
    assert row.status == "SUCCESS"
    files = [speaker.download(made, row.filename) for speaker in everyone.values()]
    assert files[0] == files[1] == files[2]
    with zipfile.ZipFile(io.BytesIO(files[0])) as archive:
        assert archive.testzip() is None
        assert "warp-status.txt" in archive.namelist()


def test_all_filters_narrow_the_listing_alike(everyone: dict[str, Speaker], target: Target) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=2)
    everyone["plain"].create(target, "warp-diag", {})
    whole = Filters(
        device_id=target.device_id,
        user_email=target.user_email,
        kind="warp-diag",
        since=begun,
        until=begun + timedelta(hours=1),
    )
    for speaker in everyone.values():
        rows = speaker.listed(whole)
        assert rows
        assert {row.kind for row in rows} == {"warp-diag"}
        assert speaker.listed(replace(whole, until=begun)) == []
        assert speaker.listed(replace(whole, device_id=NOBODY)) == []
        assert speaker.listed(replace(whole, user_email="nobody@example.com")) == []
        assert {row.status for row in speaker.listed(replace(whole, status="SUCCESS"))} <= {"SUCCESS"}
        assert len(speaker.listed(whole, per_page=1)) == 1


def test_all_see_the_same_devices(everyone: dict[str, Speaker]) -> None:
    seen = {name: speaker.devices() for name, speaker in everyone.items()}
    assert seen["sdk"] == seen["portal"] == seen["plain"]
    assert seen["sdk"]


def test_a_search_by_email_finds_only_that_persons_devices(everyone: dict[str, Speaker], target: Target) -> None:
    found = {name: speaker.devices(target.user_email) for name, speaker in everyone.items()}
    assert found["sdk"] == found["portal"] == found["plain"]
    assert {email for _, _, email in found["sdk"]} == {target.user_email}


def test_all_read_the_same_quota(everyone: dict[str, Speaker]) -> None:
    total, used, reset_at = everyone["sdk"].quota()
    assert 0 <= used <= total
    assert reset_at.tzinfo is not None
    for other in (everyone["portal"].quota(), everyone["plain"].quota()):
        assert other[0] == total
        assert abs(other[2] - reset_at) < timedelta(minutes=1)


def test_each_command_counts_in_the_quota(everyone: dict[str, Speaker], target: Target) -> None:
    """On a real account the count may lag: it must not fall."""
    before = everyone["sdk"].quota()
    everyone["sdk"].create(target, "speed-test", {"interfaces": ["default"]})
    after = everyone["portal"].quota()
    assert after[1] >= before[1] or after[2] > before[2]


def test_a_wrong_token_is_refused_to_all(upstream: Upstream) -> None:
    wrong = replace(upstream, token="0" * 40)
    with pytest.raises(APIStatusError) as told_sdk:
        Sdk(wrong).quota()
    with pytest.raises(Refused) as told_portal:
        Portal(wrong).quota()
    with pytest.raises(HTTPError) as told_plain:
        Plain(wrong).quota()
    with told_plain.value:
        statuses = {told_sdk.value.status_code, told_portal.value.status, told_plain.value.code}
    assert len(statuses) == 1
    assert statuses <= {400, 401, 403}


def test_a_command_that_does_not_exist_has_no_file(upstream: Upstream) -> None:
    with pytest.raises(NotFoundError):
        Sdk(upstream).download(NOBODY, f"{NOBODY}.zip")
    with pytest.raises(NotFound):
        Portal(upstream).download(NOBODY, f"{NOBODY}.zip")
    with pytest.raises(HTTPError) as told:
        Plain(upstream).download(NOBODY, f"{NOBODY}.zip")
    with told.value:
        assert told.value.code == 404
