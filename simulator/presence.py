"""Connection times of a simulated device, as pure functions of time, so that no timer is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Presence:
    """Cycle of a device: connected for the first `online` of every `period` simulated seconds.

    A period of 0 means always connected. `phase` shifts the cycle.
    """

    period: float = 0.0
    online: float = 0.0
    phase: float = 0.0


ALWAYS = Presence()


def _position(presence: Presence, now: float, speed: float) -> float:
    """Return the simulated seconds since the current cycle began."""
    return math.fmod(now * speed + presence.phase, presence.period)


def is_online(presence: Presence, now: float, speed: float) -> bool:
    return not presence.period or _position(presence, now, speed) < presence.online


def last_seen(presence: Presence, now: float, speed: float) -> float:
    if is_online(presence, now, speed):
        return now
    return now - (_position(presence, now, speed) - presence.online) / speed


def next_online(presence: Presence, now: float, speed: float) -> float:
    """Return the first instant from `now` on at which the device is connected."""
    if is_online(presence, now, speed):
        return now
    return now + (presence.period - _position(presence, now, speed)) / speed
