"""Causes of a failed command that follow from Cloudflare's rules, each with its confidence."""

from datetime import UTC, datetime, timedelta

import pytest

from commands.rules.causes import Confidence, Facts, causes, may_run_until, missing_captures
from commands.rules.kinds import Kind
from commands.rules.states import Status

BORN = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def facts(took: timedelta | None, **values: object) -> Facts:
    given: dict[str, object] = {
        "status": Status.FAILED,
        "kind": "pcap",
        "options": {"time-limit-min": 2, "max-file-size-mb": 5},
        "platform": "mac",
        "created_at": BORN,
        "ended_at": BORN + took if took is not None else None,
    }
    return Facts(**(given | values))  # type: ignore[arg-type]  # the fields, by name


def named(*args: object, **values: object) -> list[tuple[str, Confidence]]:
    return [(cause.code, cause.confidence) for cause in causes(facts(*args, **values))]  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("minutes", [9.5, 10, 10.8])
def test_failure_after_10_minutes_is_likely_a_lost_connection(minutes: float) -> None:
    assert named(timedelta(minutes=minutes)) == [("not_connected", Confidence.LIKELY)]
    assert named(timedelta(minutes=minutes), kind="warp-diag", options={"test-all-routes": False}) == [
        ("not_connected", Confidence.LIKELY)
    ]


@pytest.mark.parametrize("minutes", [0.2, 5, 8, 12, 30])
def test_failure_at_another_time_is_no_lost_connection(minutes: float) -> None:
    assert named(timedelta(minutes=minutes)) == []


def test_both_causes_are_possible_if_a_capture_lasts_as_long_as_the_time_out() -> None:
    options = {"time-limit-min": 10, "max-file-size-mb": 50}
    likely_causes = named(timedelta(minutes=10, seconds=10), options=options)
    assert likely_causes == [("capture_too_large", Confidence.POSSIBLE), ("not_connected", Confidence.POSSIBLE)]


def test_capture_that_fails_at_its_end_likely_grew_too_large() -> None:
    assert named(timedelta(minutes=2, seconds=6)) == [("capture_too_large", Confidence.LIKELY)]
    (cause,) = causes(facts(timedelta(minutes=2, seconds=6)))
    assert cause.megabytes == 5


@pytest.mark.parametrize(
    ("options", "limit"), [({"test-all-routes": False}, 100), ({"test-all-routes": False, "max-file-size-mb": 8}, 8)]
)
def test_diag_that_fails_within_its_duration_possibly_grew_too_large(options: dict[str, object], limit: int) -> None:
    (cause,) = causes(facts(timedelta(minutes=3), kind="warp-diag", options=options))
    assert (cause.code, cause.confidence) == ("bundle_too_large", Confidence.POSSIBLE)
    assert cause.megabytes == limit


@pytest.mark.parametrize("seconds", [3, 8 * 60, 15 * 60])
def test_diag_that_fails_too_early_or_too_late_did_not_grow_too_large(seconds: float) -> None:
    assert named(timedelta(seconds=seconds), kind="warp-diag", options={"test-all-routes": False}) == []


def test_more_common_cause_comes_first_if_a_diag_lasts_as_long_as_the_time_out() -> None:
    likely_causes = named(timedelta(minutes=10), kind="warp-diag", options={"test-all-routes": True})
    assert likely_causes == [("not_connected", Confidence.POSSIBLE), ("bundle_too_large", Confidence.POSSIBLE)]


def test_second_capture_on_windows_likely_failed_because_of_the_first() -> None:
    likely_causes = named(timedelta(seconds=3), platform="windows", captures_beside=True)
    assert likely_causes == [("other_capture", Confidence.LIKELY)]


def test_other_capture_is_only_a_possible_cause_of_a_late_failure() -> None:
    likely_causes = named(timedelta(minutes=10), platform="windows", captures_beside=True)
    assert likely_causes == [("not_connected", Confidence.LIKELY), ("other_capture", Confidence.POSSIBLE)]


def test_immediate_failure_on_windows_has_the_documented_causes() -> None:
    assert named(timedelta(seconds=3), platform="windows") == [("windows", Confidence.POSSIBLE)]
    assert named(timedelta(seconds=3), platform="mac", captures_beside=True) == []
    assert named(timedelta(seconds=3), platform="windows", kind="speed-test", options={}) == []


def test_failure_without_times_has_only_other_captures_as_a_cause() -> None:
    assert named(None) == []
    assert named(None, platform="windows", captures_beside=True) == [("other_capture", Confidence.LIKELY)]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED}))
def test_command_that_did_not_fail_has_no_cause(status: Status) -> None:
    assert named(timedelta(minutes=10), status=status) == []


def test_unknown_kind_has_no_cause() -> None:
    assert named(timedelta(minutes=10), kind="teleport") == []


def test_causes_scale_with_the_speed_of_the_simulator() -> None:
    quick = {"offline_timeout": timedelta(seconds=10), "scale": 60.0}
    assert named(timedelta(seconds=10), **quick) == [("not_connected", Confidence.LIKELY)]
    assert named(timedelta(seconds=2.1), **quick) == [("capture_too_large", Confidence.LIKELY)]


def test_capture_that_was_not_requested_is_not_missing() -> None:
    assert missing_captures("pcap", {"interfaces": ["tunnel"]}, ["capture-tunnel.pcap"]) == ()
    assert missing_captures("pcap", {}, []) == ("default", "tunnel")
    assert missing_captures("warp-diag", {}, []) == ()


def test_command_may_run_through_time_out_duration_and_upload() -> None:
    until = may_run_until(Kind.PCAP, {"time-limit-min": 5}, BORN)
    assert until == BORN + timedelta(minutes=10 + 5 + 15)
    assert may_run_until(Kind.PCAP, {"time-limit-min": 5}, BORN, scale=60) == BORN + timedelta(seconds=30)
