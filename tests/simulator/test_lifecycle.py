"""Timelines of commands, read at any instant, without a server."""

from dataclasses import replace

import pytest

from simulator.lifecycle import (
    FAILED,
    PENDING_EXEC,
    PENDING_UPLOAD,
    SUCCESS,
    Job,
    LifecycleSettings,
    plan_timeline,
    status_at,
)
from simulator.presence import Presence
from simulator.world import Device

DEFAULTS = LifecycleSettings()
T0 = 1_800_000_000.0
DEVICE = Device("a", "d", "r", "FRA-NB-0001A", "windows", "2026.9.558.0", "ada.weiss@example.com")


def job(kind: str = "pcap", device: Device = DEVICE, *, busy: bool = False, **options: object) -> Job:
    return Job(device, kind, {name.replace("_", "-"): value for name, value in options.items()}, T0, 7, busy)


def test_capture_runs_to_its_time_limit_then_uploads_then_succeeds() -> None:
    timeline = plan_timeline(job(time_limit_min=2), DEFAULTS)
    assert timeline.uploads_at - timeline.begins_at == pytest.approx(120)
    assert status_at(timeline, T0) == PENDING_EXEC
    assert status_at(timeline, timeline.uploads_at - 0.1) == PENDING_EXEC
    assert status_at(timeline, timeline.uploads_at) == PENDING_UPLOAD
    assert status_at(timeline, timeline.ends_at) == SUCCESS


@pytest.mark.parametrize("kind", ["pcap", "warp-diag", "speed-test"])
def test_status_never_goes_back(kind: str) -> None:
    order = [PENDING_EXEC, PENDING_UPLOAD, SUCCESS]
    timeline = plan_timeline(job(kind), DEFAULTS)
    statuses = [status_at(timeline, T0 + second) for second in range(700)]
    assert sorted(statuses, key=order.index) == statuses
    assert set(statuses) == set(order)


@pytest.mark.parametrize("kind", ["pcap", "warp-diag", "speed-test"])
def test_speed_divides_every_duration(kind: str) -> None:
    slow, fast = (
        plan_timeline(job(kind), LifecycleSettings(speed=1)),
        plan_timeline(job(kind), LifecycleSettings(speed=60)),
    )
    assert (slow.ends_at - T0) / (fast.ends_at - T0) == pytest.approx(60, rel=1e-3)
    assert (slow.uploads_at - T0) / (fast.uploads_at - T0) == pytest.approx(60, rel=1e-3)


def test_diag_takes_longer_if_it_tests_all_routes() -> None:
    with_routes, without = (
        plan_timeline(job("warp-diag"), DEFAULTS),
        plan_timeline(job("warp-diag", test_all_routes=False), DEFAULTS),
    )
    assert with_routes.ends_at > without.ends_at + 40


def test_command_on_an_offline_device_fails_after_ten_minutes() -> None:
    offline = replace(DEVICE, presence=Presence(1e7, 1.0, -(T0 % 1e7) + 5e6))
    timeline = plan_timeline(job(device=offline), DEFAULTS)
    assert (timeline.outcome, timeline.cause) == (FAILED, "offline")
    assert status_at(timeline, T0 + 599) == PENDING_EXEC
    assert status_at(timeline, T0 + 600) == FAILED


def test_device_that_reconnects_in_time_runs_the_command() -> None:
    back_in_five_minutes = replace(DEVICE, presence=Presence(1e7, 3600.0, 1e7 - (T0 + 300) % 1e7))
    timeline = plan_timeline(job(device=back_in_five_minutes), DEFAULTS)
    assert timeline.outcome == SUCCESS
    assert 300 <= timeline.begins_at - T0 <= 310


def test_capture_on_a_busy_machine_fails_at_once() -> None:
    timeline = plan_timeline(job(busy=True), DEFAULTS)
    assert (timeline.outcome, timeline.cause, timeline.ends_at) == (FAILED, "busy", T0)


def test_capture_larger_than_its_limit_fails_after_its_whole_duration() -> None:
    timeline = plan_timeline(job(device=replace(DEVICE, trouble="heavy")), DEFAULTS)
    assert (timeline.outcome, timeline.cause) == (FAILED, "too large")
    assert timeline.ends_at - timeline.begins_at == pytest.approx(300)
    assert plan_timeline(job(device=replace(DEVICE, trouble="heavy"), max_file_size_mb=50), DEFAULTS).outcome == SUCCESS


def test_legacy_diag_larger_than_its_limit_is_not_uploaded() -> None:
    heavy = replace(DEVICE, trouble="heavy")
    assert plan_timeline(job("warp-diag", heavy, max_file_size_mb=5), DEFAULTS).cause == "too large"
    assert plan_timeline(job("warp-diag", heavy), DEFAULTS).outcome == SUCCESS


def test_capture_succeeds_although_one_interface_fails() -> None:
    timeline = plan_timeline(job(device=replace(DEVICE, trouble="no-tunnel")), DEFAULTS)
    assert timeline.outcome == SUCCESS
    assert timeline.failed_interfaces == frozenset({"tunnel"})


@pytest.mark.parametrize(("trouble", "kind"), [("pktmon", "pcap"), ("locale", "pcap"), ("no-diag", "warp-diag")])
def test_trouble_of_a_machine_always_fails_the_same_kind(trouble: str, kind: str) -> None:
    device = replace(DEVICE, trouble=trouble)
    assert plan_timeline(job(kind, device), DEFAULTS).cause == trouble
    assert plan_timeline(job("speed-test", device), DEFAULTS).outcome == SUCCESS


def test_failure_share_sets_the_share_of_random_failures() -> None:
    outcomes = [
        plan_timeline(replace(job(), random_seed=random_seed), LifecycleSettings(failure_share=0.3)).cause
        for random_seed in range(1000)
    ]
    assert 230 < outcomes.count("chance") < 370
    assert plan_timeline(job(), LifecycleSettings(failure_share=0.0)).outcome == SUCCESS
