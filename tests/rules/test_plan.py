from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from commands.rules.kinds import Kind
from commands.rules.plan import OLDEST_CLIENT, Limits, Plan, Quota, Target, Verdict, in_order, is_older, plan

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LAPTOP = Target(
    "laptop",
    "maria@example.com",
    "reg",
    platform="windows",
    client_version="2025.6.1400.0",
    eligible=True,
    seen_at=NOW - timedelta(minutes=2),
)


def ask(*targets: Target, kinds: tuple[Kind, ...] = (Kind.PCAP,), quota: Quota = Quota()) -> Plan:  # noqa: B008 (frozen)
    return plan(targets, kinds, quota=quota, now=NOW)


def outcome(target: Target, kind: Kind = Kind.PCAP) -> tuple[Verdict, str]:
    (line,) = ask(target, kinds=(kind,)).lines
    return line.steps[0].verdict, line.steps[0].words


def test_a_device_that_was_just_seen_is_ready() -> None:
    assert outcome(LAPTOP) == (Verdict.READY, "ready")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=61), "not seen for 1 h"),
        (timedelta(hours=3, minutes=50), "not seen for 3 h"),
        (timedelta(days=2), "not seen for 2 d"),
    ],
)
def test_a_device_that_was_not_seen_says_for_how_long(age: timedelta, words: str) -> None:
    assert outcome(replace(LAPTOP, seen_at=NOW - age)) == (Verdict.NOT_SEEN, words)
    assert outcome(replace(LAPTOP, seen_at=None)) == (Verdict.NOT_SEEN, "not seen yet")


def test_when_a_device_counts_as_seen_is_a_setting() -> None:
    limits = Limits(seen_within=timedelta(seconds=30))
    found = plan([LAPTOP], [Kind.PCAP], quota=Quota(), now=NOW, limits=limits)
    assert found.lines[0].steps[0].words == "not seen for 2 min"
    late = replace(LAPTOP, seen_at=NOW - timedelta(seconds=40))
    assert plan([late], [Kind.PCAP], quota=Quota(), now=NOW, limits=limits).summary == "1 not seen for 1 min"


def test_a_target_that_nobody_listed_is_sent_and_marked_as_unverified() -> None:
    verdict, words = outcome(Target("x", "joe@example.com", listed=False))
    assert (verdict, words) == (Verdict.UNKNOWN, "not verified: Cloudflare has not listed it")


def test_an_ineligible_device_says_it_in_cloudflares_words_and_is_not_sent() -> None:
    device = replace(LAPTOP, eligible=False, ineligible_reason="client mode is not supported")
    assert outcome(device) == (Verdict.INELIGIBLE, "ineligible: client mode is not supported")
    assert outcome(replace(LAPTOP, eligible=False)) == (Verdict.INELIGIBLE, "ineligible")
    assert ask(device).sent == 0


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


def test_an_old_client_says_what_is_needed() -> None:
    assert outcome(replace(LAPTOP, client_version="2024.9.1.0")) == (
        Verdict.CLIENT_TOO_OLD,
        "client too old: 2024.9.1.0, needs 2024.12.492.0",
    )


def test_a_machine_of_several_people_needs_a_registration_and_a_newer_client() -> None:
    shared = replace(LAPTOP, machine_registrations=2)
    assert outcome(shared)[0] is Verdict.READY
    assert outcome(replace(shared, registration_id=""))[0] is Verdict.NEEDS_REGISTRATION
    assert outcome(replace(shared, client_version="2025.6.1399.9"))[0] is Verdict.CLIENT_TOO_OLD
    assert outcome(replace(LAPTOP, client_version="2025.6.1399.9"))[0] is Verdict.READY


def test_a_kind_that_is_already_running_there_goes_after_it() -> None:
    busy = replace(LAPTOP, platform="mac", open_kinds={Kind.PCAP})
    assert outcome(busy) == (
        Verdict.ALREADY_RUNNING,
        "after the Packet capture that is already running",
    )
    assert outcome(busy, Kind.WARP_DIAG)[0] is Verdict.READY


def test_on_windows_one_capture_runs_at_a_time() -> None:
    busy = replace(LAPTOP, open_kinds={Kind.WARP_DIAG})
    assert outcome(busy) == (Verdict.ALREADY_RUNNING, "after the WARP diag that is already running")
    assert outcome(busy, Kind.SPEED_TEST)[0] is Verdict.READY


@pytest.mark.parametrize(
    ("platform", "words"), [("windows", ["ready", "ready, after the WARP diag"]), ("mac", ["ready", "ready"])]
)
def test_of_one_device_the_diag_goes_first_and_on_windows_the_capture_follows(platform: str, words: list[str]) -> None:
    (line,) = ask(replace(LAPTOP, platform=platform), kinds=(Kind.PCAP, Kind.WARP_DIAG)).lines
    assert [step.kind for step in line.steps] == [Kind.WARP_DIAG, Kind.PCAP]
    assert [step.words for step in line.steps] == words
    assert in_order([Kind.PCAP, Kind.PCAP, Kind.WARP_DIAG]) == (Kind.WARP_DIAG, Kind.PCAP)


def _fleet(number: int) -> list[Target]:
    return [replace(LAPTOP, device_id=f"laptop-{index}") for index in range(number)]


@pytest.mark.parametrize(("devices", "calls"), [(0, 0), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_ten_devices_travel_in_one_post(devices: int, calls: int) -> None:
    assert ask(*_fleet(devices)).calls == calls


def test_each_kind_has_posts_of_its_own_and_so_has_each_unlisted_target() -> None:
    unlisted = [Target(f"x{index}", "joe@example.com", listed=False) for index in range(3)]
    assert ask(*_fleet(9), *unlisted).calls == 4
    assert ask(*_fleet(9), *unlisted, kinds=(Kind.PCAP, Kind.WARP_DIAG)).calls == 8


def test_a_post_holds_one_command_a_machine() -> None:
    shared = [replace(LAPTOP, registration_id=f"reg-{index}", machine_registrations=3) for index in range(3)]
    assert ask(*shared).calls == 3


def test_what_is_not_sent_costs_nothing() -> None:
    found = ask(*_fleet(10), replace(LAPTOP, eligible=False), quota=Quota(37, 200))
    assert found.cost == "1 call to Cloudflare · quota 37 → 47 of 200"


def test_past_the_quota_the_rest_is_not_sent_in_the_order_of_asking() -> None:
    found = ask(*_fleet(4), quota=Quota(197, 200))
    assert [line.steps[0].verdict for line in found.lines] == [*[Verdict.READY] * 3, Verdict.OVER_QUOTA]
    assert found.summary == "3 ready · 1 over today's quota"
    assert found.cost == "1 call to Cloudflare · quota 197 → 200 of 200"
    assert ask(LAPTOP, quota=Quota(250, 200)).sent == 0


def test_a_quota_that_nobody_knows_stops_nothing() -> None:
    assert ask(*_fleet(20)).cost == "2 calls to Cloudflare"
    assert ask(*_fleet(20), quota=Quota(5)).cost == "2 calls to Cloudflare · quota 5 → 25"
