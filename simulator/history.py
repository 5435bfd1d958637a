"""Generator of past commands, fast enough for 100,000 of them.

All of them are foreign: no POST to this simulator created them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulator.config import KINDS
from simulator.json_input import BadInputError
from simulator.ledger import Command
from simulator.lifecycle import Options
from simulator.state import Simulator
from simulator.world import Device

# shared by all commands, because 100,000 dicts would need a lot of memory
_OPTIONS: tuple[Options, ...] = ({}, {}, {}, {"time-limit-min": 1}, {"time-limit-min": 10})


@dataclass(frozen=True, slots=True)
class LoadParameters:
    """Parameters of `POST /_sim/load`.

    `days` are real days before now. If `account` is "", it is the first account.
    """

    count: int = 1000
    seed: int = 1
    days: float = 30.0
    account: str = ""


def generate_history(sim: Simulator, parameters: LoadParameters) -> list[Command]:
    """Generate commands, oldest first. They are not added to the ledger, and they use no quota."""
    account_id = parameters.account or next(iter(sim.accounts))
    if account_id not in sim.worlds:
        raise BadInputError(f"load.account: no account {account_id}")
    rng = Random(parameters.seed)
    devices = [device for device in sim.worlds[account_id].devices if device.eligible]
    until = sim.clock.now()
    instants = sorted(round(until - rng.random() * parameters.days * 86400, 3) for _ in range(parameters.count))
    return [_past_command(sim, rng, devices[rng.randrange(len(devices))], at) for at in instants]


def _past_command(sim: Simulator, rng: Random, device: Device, at: float) -> Command:
    kind = KINDS[rng.randrange(3)]
    options = _OPTIONS[rng.randrange(len(_OPTIONS))] if kind == "pcap" else _OPTIONS[0]
    return sim.new_command(device, kind, options, at=at, busy=False)
