"""Generated companies, and the presence of their devices."""

from collections import Counter

from simulator.presence import ALWAYS, Presence, is_online, last_seen, next_online
from simulator.world import World, build_world

T0 = 1_800_000_000.0


def build_company(seed: int = 1, people: int = 200) -> World:
    return build_world("account", seed=seed, people=people, domain="example.com")


def version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_same_seed_gives_the_same_devices_and_another_seed_others() -> None:
    assert build_company(7).devices == build_company(7).devices
    assert build_company(7).devices != build_company(8).devices


def test_company_has_every_platform_old_clients_and_ineligible_devices() -> None:
    devices = build_company().devices
    assert {device.platform for device in devices} == {"windows", "mac", "linux"}
    reasons = Counter(device.ineligible_reason for device in devices)
    assert len(reasons) == 3
    assert any(version_numbers(device.version) < (2024, 12, 492, 0) and not device.eligible for device in devices)
    assert any(device.old_timestamp for device in devices)
    assert any(not device.old_timestamp for device in devices)


def test_some_people_have_several_devices_and_all_have_example_addresses() -> None:
    emails = Counter(device.person_email for device in build_company().devices)
    assert max(emails.values()) >= 3
    assert all(email.endswith("@example.com") for email in emails)
    assert len(emails) == 200


def test_multi_user_machines_run_windows_and_a_client_that_supports_them() -> None:
    world = build_company()
    shared = [rows for rows in world.by_device_id.values() if len(rows) > 1]
    assert len(shared) == 20
    for rows in shared:
        assert len({row.registration_id for row in rows}) == len(rows) == len({row.person_email for row in rows})
        assert all(row.platform == "windows" and version_numbers(row.version) >= (2025, 6, 1400, 0) for row in rows)


def test_first_people_have_healthy_devices_that_are_always_connected() -> None:
    first = build_company(seed=99).devices[:8]
    assert all(row.eligible and row.presence == ALWAYS and not row.trouble for row in first)
    assert {row.platform for row in first} == {"windows", "mac", "linux"}


def test_some_devices_have_been_offline_for_hours() -> None:
    ages = [T0 - last_seen(device.presence, T0, 1.0) for device in build_company().devices]
    assert sum(age > 3600 for age in ages) > 10
    assert sum(age == 0 for age in ages) > 200


def test_presence_follows_its_cycle_and_speed_shortens_the_cycle() -> None:
    presence = Presence(period=7200, online=3600, phase=0)
    base = T0 - T0 % 7200
    assert is_online(presence, base + 1, 1.0)
    assert not is_online(presence, base + 3700, 1.0)
    assert last_seen(presence, base + 3700, 1.0) == base + 3600
    assert next_online(presence, base + 3700, 1.0) == base + 7200
    assert next_online(presence, base + 10, 1.0) == base + 10
    fast = [is_online(presence, T0 + second, 3600.0) for second in range(4)]
    assert fast.count(True) == 2
