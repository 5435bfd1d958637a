"""Files of a speed test's zip.

Cloudflare documents no format for it. This one is invented: one `results.json` with an entry for each interface.
"""

import json
from random import Random

from simulator.artifacts.facts import ArtifactFacts
from simulator.artifacts.machine import Machine


def speed_test_files(facts: ArtifactFacts) -> dict[str, bytes]:
    machine = Machine.from_facts(facts)
    rng = facts.command_rng()
    results = {
        "started_at": facts.started_at.isoformat(),
        "colo": machine.colo,
        "client_version": facts.client_version,
        "interfaces": {name: _measurements(name, facts, rng) for name in facts.interfaces()},
    }
    return {"results.json": json.dumps(results, indent=2).encode()}


def _measurements(interface: str, facts: ArtifactFacts, rng: Random) -> dict[str, object]:
    if interface in facts.failed_interfaces:
        return {"success": False, "error": "speed test could not reach the measurement server"}
    share = 1.0 if interface == "default" else 0.85  # a tunnel is a little slower
    idle = rng.uniform(8, 35) / share
    loaded = idle * rng.uniform(1.4, 4)
    return {
        "success": True,
        "download_mbps": round(rng.uniform(60, 480) * share, 2),
        "upload_mbps": round(rng.uniform(18, 120) * share, 2),
        "latency_idle_ms": round(idle, 1),
        "latency_loaded_ms": round(loaded, 1),
        "jitter_ms": round(rng.uniform(0.6, 6), 2),
        "packet_loss_percent": round(rng.choice((0, 0, 0, 0.1, 0.4)), 1),
        "scores": {
            "streaming": "great",
            "gaming": "good" if loaded < 60 else "average",
            "conferencing": "great" if loaded < 80 else "good",
        },
    }
