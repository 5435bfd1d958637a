"""Company of one account, generated from a seed: people, devices, registrations.

Pure functions: the same arguments always give the same company. This module must not know commands.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

from simulator.presence import ALWAYS, Presence

FIRST_NAMES = (
    "Ada", "Amir", "Anouk", "Bela", "Carlos", "Chiara", "Dara", "Elif",
    "Emil", "Femi", "Greta", "Hana", "Ines", "Ivo", "Jonas", "Kaya",
    "Lars", "Leila", "Luca", "Mara", "Mei", "Milan", "Nadia", "Noor",
    "Olu", "Oscar", "Petra", "Quinn", "Rafa", "Rosa", "Samir", "Sena",
    "Tariq", "Thea", "Uma", "Viktor", "Wanda", "Xenia", "Yara", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Almgren", "Berger", "Bianchi", "Castellan", "Dvorak", "Ekholm", "Farouk",
    "Ferro", "Galvan", "Hartog", "Ibsen", "Jansky", "Kovar", "Lindqvist", "Marchetti",
    "Nakano", "Novotny", "Okafor", "Petrov", "Quiroga", "Rossi", "Sandoval", "Tanaka",
    "Ueda", "Varga", "Weiss", "Yilmaz", "Zeman", "Zorn",
)  # fmt: skip
SITES = ("FRA", "LIS", "OSL", "PRG", "LJU", "GOT")

CURRENT_VERSIONS = ("2026.9.558.0", "2026.6.1204.0", "2025.10.186.1", "2025.6.1400.0")
OLD_VERSIONS = ("2024.9.346.0", "2024.6.415.0", "2023.10.120.0")
OLD_REASON = "WARP client version is not supported: 2024.12.492.0 or later is required"
MODE_REASON = "The client's mode does not support remote captures"

# possible troubles of a machine: each one affects the same kind of command every time
TROUBLES = {
    "windows": ("pktmon", "locale", "heavy", "no-tunnel"),
    "mac": ("heavy", "no-tunnel", "no-diag"),
    "linux": ("heavy", "no-tunnel", "no-diag"),
}
HEALTHY_PEOPLE = 4  # first people of a company: their devices are always connected and have no trouble


@dataclass(frozen=True, slots=True)
class Device:
    """One registration: the fields of a row of the devices listing, and facts that no API call shows.

    `presence`, `trouble` and `old_timestamp` are those facts. `/_sim/world` shows them under these names.
    """

    account_id: str
    device_id: str
    registration_id: str
    device_name: str
    platform: str
    version: str
    person_email: str
    ineligible_reason: str = ""
    presence: Presence = ALWAYS
    trouble: str = ""
    old_timestamp: bool = False

    @property
    def eligible(self) -> bool:
        return not self.ineligible_reason


@dataclass(frozen=True, slots=True)
class World:
    """All registrations of one account, and the same by device id."""

    devices: tuple[Device, ...]
    by_device_id: dict[str, tuple[Device, ...]] = field(repr=False)

    def rows(self, device_id: str) -> tuple[Device, ...]:
        return self.by_device_id.get(device_id, ())


@dataclass(frozen=True, slots=True)
class _Person:
    first_name: str
    email: str
    healthy: bool


def build_world(account_id: str, *, seed: int, people: int, domain: str) -> World:
    """Generate the company of one account. The same arguments give the same company, down to every id."""
    rng = Random(f"{seed}/{account_id}")
    staff = _people(rng, people, domain)
    devices: list[Device] = []
    for number, person in enumerate(staff):
        devices += _own_devices(rng, account_id, person, number)
    devices += _shared_machines(rng, account_id, staff)
    grouped: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        grouped[device.device_id].append(device)
    return World(tuple(devices), {device_id: tuple(rows) for device_id, rows in grouped.items()})


def _uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _people(rng: Random, count: int, domain: str) -> list[_Person]:
    used: dict[str, int] = defaultdict(int)
    staff = []
    for number in range(count):
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        local = f"{first}.{last}".lower()
        used[local] += 1
        suffix = "" if used[local] == 1 else str(used[local])
        staff.append(_Person(first, f"{local}{suffix}@{domain}", number < HEALTHY_PEOPLE))
    return staff


def _own_devices(rng: Random, account_id: str, person: _Person, number: int) -> list[Device]:
    if person.healthy:
        # fixed, so that the first people have every platform
        platforms = [("windows", "mac", "linux", "windows")[number], ("mac", "windows")[number % 2]]
    else:
        platforms = rng.choices(("windows", "mac", "linux"), (55, 30, 15), k=rng.choice((1, 1, 2, 2, 3)))
    return [_device(rng, account_id, person, platform, number) for platform in platforms]


def _device(rng: Random, account_id: str, person: _Person, platform: str, number: int) -> Device:
    device = Device(
        account_id=account_id,
        device_id=_uuid(rng),
        registration_id=_uuid(rng),
        device_name=_device_name(rng, person.first_name, platform, number),
        platform=platform,
        version=rng.choice(CURRENT_VERSIONS),
        person_email=person.email,
        old_timestamp=rng.random() < 0.4,
    )
    return device if person.healthy else _with_variations(rng, device)


def _device_name(rng: Random, first_name: str, platform: str, number: int) -> str:
    if platform == "windows":
        return f"{rng.choice(SITES)}-NB-{number:04d}{rng.choice('ABCDEF')}"
    if platform == "mac":
        return f"{first_name}-{rng.choice(('MacBook-Pro', 'MacBook-Air', 'Mac-mini'))}"
    return f"dev-{first_name.lower()}-{rng.randrange(100):02d}"


def _with_variations(rng: Random, device: Device) -> Device:
    """Make some devices ineligible, sometimes offline, or give them a trouble."""
    version, reason = device.version, ""
    roll = rng.random()
    if roll < 0.08:
        version, reason = rng.choice(OLD_VERSIONS), OLD_REASON
    elif roll < 0.12:
        reason = MODE_REASON
    return Device(
        account_id=device.account_id,
        device_id=device.device_id,
        registration_id=device.registration_id,
        device_name=device.device_name,
        platform=device.platform,
        version=version,
        person_email=device.person_email,
        ineligible_reason=reason,
        presence=_presence(rng),
        trouble=rng.choice(TROUBLES[device.platform]) if rng.random() < 0.15 else "",
        old_timestamp=device.old_timestamp,
    )


def _presence(rng: Random) -> Presence:
    """Choose a presence: most are always connected, some come and go within hours, some are rarely connected."""
    roll = rng.random()
    hour = 3600.0
    if roll < 0.7:
        return ALWAYS
    if roll < 0.87:
        period = rng.uniform(3, 9) * hour
        return Presence(period, period * rng.uniform(0.3, 0.7), rng.random() * period)
    period = rng.uniform(2, 12) * 24 * hour
    return Presence(period, rng.uniform(1, 3) * hour, rng.random() * period)


def _shared_machines(rng: Random, account_id: str, staff: list[_Person]) -> list[Device]:
    """Generate multi-user Windows machines, one for every ten people."""
    devices = []
    for number in range(max(1, len(staff) // 10)):
        device_id, name = _uuid(rng), f"{rng.choice(SITES)}-DESK-{number:03d}"
        version = rng.choice(CURRENT_VERSIONS)
        for person in rng.sample(staff, k=min(len(staff), rng.choice((2, 3)))):
            devices.append(Device(account_id, device_id, _uuid(rng), name, "windows", version, person.email))
    return devices
