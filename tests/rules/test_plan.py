"""Tests of plans, made without a database from facts about targets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.rules.kinds import Kind
from commands.rules.plan import (
    OLDEST_CLIENT,
    OLDEST_MULTI_USER_CLIENT,
    Plan,
    PlanLimits,
    PlanQuota,
    TargetFacts,
    Verdict,
    in_order,
    is_older,
    make_plan,
)
from commands.rules.targeting import Target

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LAPTOP = TargetFacts(
    Target("laptop", "maria@example.com", "reg", listed=True),
    platform="windows",
    client_version="2025.6.1400.0",
    eligible=True,
    seen_at=NOW - timedelta(minutes=2),
)
UNLISTED = TargetFacts(Target("x", "joe@example.com"), is_listed=False)


def laptop(device_id: str = "laptop", registration: str = "reg", /, **facts: Any) -> TargetFacts:
    target = replace(LAPTOP.target, device_id=device_id, registration_id=registration)
    return replace(LAPTOP, target=target, **facts)


def planned(*targets: TargetFacts, kinds: tuple[Kind, ...] = (Kind.PCAP,), quota: PlanQuota = PlanQuota()) -> Plan:  # noqa: B008 (frozen)
    return make_plan(targets, kinds, quota=quota, now=NOW)


def verdict(facts: TargetFacts, kind: Kind = Kind.PCAP) -> Verdict:
    (line,) = planned(facts, kinds=(kind,)).lines
    return line.steps[0].verdict


def test_recently_seen_device_is_ready() -> None:
    assert verdict(LAPTOP) is Verdict.READY


@pytest.mark.parametrize("age", [timedelta(minutes=61), timedelta(days=2)])
def test_device_unseen_for_an_hour_is_offline_and_still_sent(age: timedelta) -> None:
    (line,) = planned(laptop(seen_at=NOW - age)).lines
    assert (line.steps[0].verdict, line.unseen) == (Verdict.OFFLINE, age)
    assert line.steps[0].is_sent


def test_device_that_never_connected_is_offline() -> None:
    (line,) = planned(laptop(seen_at=None)).lines
    assert (line.steps[0].verdict, line.unseen) == (Verdict.OFFLINE, None)


def test_time_after_which_a_device_is_offline_is_a_limit() -> None:
    limits = PlanLimits(seen_within=timedelta(seconds=30))
    (line,) = make_plan([LAPTOP], [Kind.PCAP], quota=PlanQuota(), now=NOW, limits=limits).lines
    assert line.steps[0].verdict is Verdict.OFFLINE


def test_unlisted_target_is_sent_unverified() -> None:
    assert verdict(UNLISTED) is Verdict.UNLISTED
    assert planned(UNLISTED).sent == 1


def test_ineligible_device_is_skipped() -> None:
    plan = planned(laptop(eligible=False), LAPTOP)
    assert [line.steps[0].verdict for line in plan.skipped] == [Verdict.INELIGIBLE]
    assert [line.facts for line in plan.sendable] == [LAPTOP]
    assert plan.sent == 1


@pytest.mark.parametrize(
    ("version", "older"),
    [
        ("2024.12.491.9", True),
        ("2024.12.492.0", False),
        ("2024.12.492", False),
        ("2024.12.1000.0", False),
        ("2024.9.999.0", True),
        ("2025.1.1.0-beta", False),
        ("2024", True),
        ("", False),
        ("unknown", False),
    ],
)
def test_client_versions_are_compared_by_their_numbers(version: str, older: bool) -> None:
    assert is_older(version, OLDEST_CLIENT) is older


def test_old_client_is_skipped() -> None:
    assert verdict(laptop(client_version="2024.9.1.0")) is Verdict.CLIENT_TOO_OLD


def test_shared_machine_needs_a_registration_and_a_newer_client() -> None:
    shared = laptop(machine_registrations=2)
    assert verdict(shared) is Verdict.READY
    assert verdict(laptop("laptop", "", machine_registrations=2)) is Verdict.NEEDS_REGISTRATION
    old = laptop(machine_registrations=2, client_version="2025.6.1399.9")
    assert verdict(old) is Verdict.CLIENT_TOO_OLD
    assert old.least_client == OLDEST_MULTI_USER_CLIENT
    assert verdict(laptop(client_version="2025.6.1399.9")) is Verdict.READY


def test_kind_that_is_already_running_waits_for_it() -> None:
    busy = laptop(platform="mac", open_kinds={Kind.PCAP})
    (line,) = planned(busy).lines
    assert (line.steps[0].verdict, line.steps[0].after) == (Verdict.ALREADY_RUNNING, Kind.PCAP)
    assert verdict(busy, Kind.WARP_DIAG) is Verdict.READY


def test_windows_runs_one_capture_at_a_time() -> None:
    busy = laptop(open_kinds={Kind.WARP_DIAG})
    (line,) = planned(busy).lines
    assert (line.steps[0].verdict, line.steps[0].after) == (Verdict.ALREADY_RUNNING, Kind.WARP_DIAG)
    assert verdict(busy, Kind.SPEED_TEST) is Verdict.READY


@pytest.mark.parametrize(("platform", "after"), [("windows", [None, Kind.WARP_DIAG]), ("mac", [None, None])])
def test_diag_goes_first_and_on_windows_the_capture_waits_for_it(platform: str, after: list[Kind | None]) -> None:
    (line,) = planned(laptop(platform=platform), kinds=(Kind.PCAP, Kind.WARP_DIAG)).lines
    assert [step.kind for step in line.steps] == [Kind.WARP_DIAG, Kind.PCAP]
    assert [step.after for step in line.steps] == after
    assert in_order([Kind.PCAP, Kind.PCAP, Kind.WARP_DIAG]) == (Kind.WARP_DIAG, Kind.PCAP)


def fleet(number: int) -> list[TargetFacts]:
    return [laptop(f"laptop-{index}") for index in range(number)]


@pytest.mark.parametrize(("devices", "calls"), [(0, 0), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_one_post_holds_ten_devices(devices: int, calls: int) -> None:
    assert planned(*fleet(devices)).calls == calls


def test_each_kind_and_each_unlisted_target_has_its_own_post() -> None:
    unlisted = [replace(UNLISTED, target=Target(f"x{index}", "joe@example.com")) for index in range(3)]
    assert planned(*fleet(9), *unlisted).calls == 4
    assert planned(*fleet(9), *unlisted, kinds=(Kind.PCAP, Kind.WARP_DIAG)).calls == 8


def test_one_post_holds_one_command_a_machine() -> None:
    shared = [laptop("laptop", f"reg-{index}", machine_registrations=3) for index in range(3)]
    assert planned(*shared).calls == 3


def test_skipped_device_costs_nothing() -> None:
    plan = planned(*fleet(10), laptop("tablet", eligible=False), quota=PlanQuota(37, 200))
    assert (plan.calls, plan.sent) == (1, 10)


def test_last_targets_are_over_the_quota() -> None:
    plan = planned(*fleet(4), quota=PlanQuota(197, 200))
    assert [line.steps[0].verdict for line in plan.lines] == [*[Verdict.READY] * 3, Verdict.OVER_QUOTA]
    assert not plan.skipped
    assert planned(LAPTOP, quota=PlanQuota(250, 200)).sent == 0


@pytest.mark.parametrize("quota", [PlanQuota(), PlanQuota(5)])
def test_unknown_quota_stops_nothing(quota: PlanQuota) -> None:
    assert planned(*fleet(20), quota=quota).sent == 20
