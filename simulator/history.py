"""Fills the ledger with many commands of the past, quickly. All of them are foreign: nobody posted them here."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulator.config import KINDS
from simulator.ledger import Command
from simulator.life import Options
from simulator.state import Simulator
from simulator.typed import BadInputError
from simulator.world import Device

# Shared by all: a hundred thousand commands need no hundred thousand maps.
_OPTIONS: tuple[Options, ...] = ({}, {}, {}, {"time-limit-min": 1}, {"time-limit-min": 10})


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """`days` are real ones before now; '' as account is the first."""

    count: int = 1000
    seed: int = 1
    days: float = 30.0
    account: str = ""


def make_history(sim: Simulator, order: LoadOrder) -> list[Command]:
    """Oldest first, not yet in the ledger; the usage of today does not count them."""
    account_id = order.account or next(iter(sim.accounts))
    if account_id not in sim.worlds:
        raise BadInputError(f"load.account: no account {account_id}")
    rng = Random(order.seed)
    devices = [device for device in sim.worlds[account_id].devices if device.eligible]
    until = sim.clock.now()
    instants = sorted(round(until - rng.random() * order.days * 86400, 3) for _ in range(order.count))
    return [_one(sim, rng, devices[rng.randrange(len(devices))], at) for at in instants]


def _one(sim: Simulator, rng: Random, device: Device, at: float) -> Command:
    kind = KINDS[rng.randrange(3)]
    options = _OPTIONS[rng.randrange(len(_OPTIONS))] if kind == "pcap" else _OPTIONS[0]
    return sim.new_command(device, kind, options, at=at, busy=False)
