"""The life of a command, read at any instant, without a server."""

from dataclasses import replace

import pytest

from simulator.life import FAILED, PENDING_EXEC, PENDING_UPLOAD, SUCCESS, Job, Terms, plan, status_at
from simulator.presence import Presence
from simulator.world import Device

T0 = 1_800_000_000.0
DEVICE = Device("a", "d", "r", "FRA-NB-0001A", "windows", "2026.9.558.0", "ada.weiss@example.com")


def job(kind: str = "pcap", device: Device = DEVICE, *, busy: bool = False, **options: object) -> Job:
    return Job(device, kind, {name.replace("_", "-"): value for name, value in options.items()}, T0, 7, busy)


def test_a_capture_runs_to_its_time_limit_then_uploads_then_succeeds() -> None:
    life = plan(job(time_limit_min=2), Terms())
    assert life.uploads_at - life.begins_at == pytest.approx(120)
    assert status_at(life, T0) == PENDING_EXEC
    assert status_at(life, life.uploads_at - 0.1) == PENDING_EXEC
    assert status_at(life, life.uploads_at) == PENDING_UPLOAD
    assert status_at(life, life.ends_at) == SUCCESS


@pytest.mark.parametrize("kind", ["pcap", "warp-diag", "speed-test"])
def test_a_status_never_goes_back(kind: str) -> None:
    order = [PENDING_EXEC, PENDING_UPLOAD, SUCCESS]
    life = plan(job(kind), Terms())
    seen = [status_at(life, T0 + second) for second in range(700)]
    assert sorted(seen, key=order.index) == seen
    assert set(seen) == set(order)


@pytest.mark.parametrize("kind", ["pcap", "warp-diag", "speed-test"])
def test_speed_divides_every_duration(kind: str) -> None:
    slow, fast = plan(job(kind), Terms(speed=1)), plan(job(kind), Terms(speed=60))
    assert (slow.ends_at - T0) / (fast.ends_at - T0) == pytest.approx(60, rel=1e-3)
    assert (slow.uploads_at - T0) / (fast.uploads_at - T0) == pytest.approx(60, rel=1e-3)


def test_testing_all_routes_takes_a_diag_longer() -> None:
    with_routes, without = plan(job("warp-diag"), Terms()), plan(job("warp-diag", test_all_routes=False), Terms())
    assert with_routes.ends_at > without.ends_at + 40


def test_a_device_that_stays_away_fails_after_ten_minutes_and_not_before() -> None:
    away = replace(DEVICE, presence=Presence(1e7, 1.0, -(T0 % 1e7) + 5e6))
    life = plan(job(device=away), Terms())
    assert (life.outcome, life.cause) == (FAILED, "offline")
    assert status_at(life, T0 + 599) == PENDING_EXEC
    assert status_at(life, T0 + 600) == FAILED


def test_a_device_that_comes_back_in_time_runs_the_command() -> None:
    back_in_five_minutes = replace(DEVICE, presence=Presence(1e7, 3600.0, 1e7 - (T0 + 300) % 1e7))
    life = plan(job(device=back_in_five_minutes), Terms())
    assert life.outcome == SUCCESS
    assert 300 <= life.begins_at - T0 <= 310


def test_a_second_capture_on_a_busy_windows_machine_fails_at_once() -> None:
    life = plan(job(busy=True), Terms())
    assert (life.outcome, life.cause, life.ends_at) == (FAILED, "busy", T0)


def test_a_capture_larger_than_its_limit_fails_after_it_ran() -> None:
    life = plan(job(device=replace(DEVICE, trouble="heavy")), Terms())
    assert (life.outcome, life.cause) == (FAILED, "too large")
    assert life.ends_at - life.begins_at == pytest.approx(300)
    assert plan(job(device=replace(DEVICE, trouble="heavy"), max_file_size_mb=50), Terms()).outcome == SUCCESS


def test_a_legacy_diag_over_its_size_is_not_uploaded() -> None:
    heavy = replace(DEVICE, trouble="heavy")
    assert plan(job("warp-diag", heavy, max_file_size_mb=5), Terms()).cause == "too large"
    assert plan(job("warp-diag", heavy), Terms()).outcome == SUCCESS


def test_a_capture_of_which_one_interface_failed_still_succeeds() -> None:
    life = plan(job(device=replace(DEVICE, trouble="no-tunnel")), Terms())
    assert life.outcome == SUCCESS
    assert life.failed_interfaces == frozenset({"tunnel"})


@pytest.mark.parametrize(("trouble", "kind"), [("pktmon", "pcap"), ("locale", "pcap"), ("no-diag", "warp-diag")])
def test_what_is_wrong_with_a_machine_fails_the_same_kind_each_time(trouble: str, kind: str) -> None:
    device = replace(DEVICE, trouble=trouble)
    assert plan(job(kind, device), Terms()).cause == trouble
    assert plan(job("speed-test", device), Terms()).outcome == SUCCESS


def test_the_share_of_failures_is_a_knob() -> None:
    outcomes = [plan(replace(job(), luck=luck), Terms(failure_share=0.3)).cause for luck in range(1000)]
    assert 230 < outcomes.count("chance") < 370
    assert plan(job(), Terms(failure_share=0.0)).outcome == SUCCESS
