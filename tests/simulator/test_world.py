"""The company that a seed describes."""

from collections import Counter

from simulator.presence import ALWAYS, Presence, is_online, last_seen, next_online
from simulator.world import World, build_world

T0 = 1_800_000_000.0


def company(seed: int = 1, people: int = 200) -> World:
    return build_world("account", seed=seed, people=people, domain="example.com")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_same_seed_gives_the_same_world_to_the_last_id() -> None:
    assert company(7).devices == company(7).devices
    assert company(7).devices != company(8).devices


def test_a_company_has_every_platform_old_clients_and_reasons() -> None:
    devices = company().devices
    assert {device.platform for device in devices} == {"windows", "mac", "linux"}
    reasons = Counter(device.ineligible_reason for device in devices)
    assert len(reasons) == 3
    assert any(numbers(device.version) < (2024, 12, 492, 0) and not device.eligible for device in devices)
    assert any(device.old_timestamp for device in devices)
    assert any(not device.old_timestamp for device in devices)


def test_people_have_several_devices_and_only_example_addresses() -> None:
    emails = Counter(device.person_email for device in company().devices)
    assert max(emails.values()) >= 3
    assert all(email.endswith("@example.com") for email in emails)
    assert len(emails) == 200


def test_multi_user_machines_are_windows_with_a_client_that_can() -> None:
    world = company()
    shared = [rows for rows in world.by_device_id.values() if len(rows) > 1]
    assert len(shared) == 20
    for rows in shared:
        assert len({row.registration_id for row in rows}) == len(rows) == len({row.person_email for row in rows})
        assert all(row.platform == "windows" and numbers(row.version) >= (2025, 6, 1400, 0) for row in rows)


def test_the_first_people_have_healthy_devices_that_are_always_there() -> None:
    first = company(seed=99).devices[:8]
    assert all(row.eligible and row.presence == ALWAYS and not row.trouble for row in first)
    assert {row.platform for row in first} == {"windows", "mac", "linux"}


def test_some_devices_were_not_seen_for_hours() -> None:
    ages = [T0 - last_seen(device.presence, T0, 1.0) for device in company().devices]
    assert sum(age > 3600 for age in ages) > 10
    assert sum(age == 0 for age in ages) > 200


def test_presence_comes_and_goes_and_speed_divides_it() -> None:
    presence = Presence(period=7200, online=3600, phase=0)
    base = T0 - T0 % 7200
    assert is_online(presence, base + 1, 1.0)
    assert not is_online(presence, base + 3700, 1.0)
    assert last_seen(presence, base + 3700, 1.0) == base + 3600
    assert next_online(presence, base + 3700, 1.0) == base + 7200
    assert next_online(presence, base + 10, 1.0) == base + 10
    fast = [is_online(presence, T0 + second, 3600.0) for second in range(4)]
    assert fast.count(True) == 2
