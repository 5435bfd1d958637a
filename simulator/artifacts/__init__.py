"""Zips that the simulated devices upload: captures, WARP diags, speed tests.

The same facts always give the same bytes, so that a download can be resumed after a restart of the simulator. This
package must therefore not use a clock or an unseeded random generator. It must not know when a zip exists, or who may
download it.
"""

from simulator.artifacts.archive import build_zip
from simulator.artifacts.captures import capture_files
from simulator.artifacts.facts import ArtifactFacts
from simulator.artifacts.speed_test import speed_test_files
from simulator.artifacts.warp.diag import diag_files

__all__ = ["ArtifactFacts", "build_artifact"]

_BUILDERS = {"pcap": capture_files, "warp-diag": diag_files, "speed-test": speed_test_files}


def build_artifact(facts: ArtifactFacts) -> bytes:
    return build_zip(_BUILDERS[facts.kind](facts), at=facts.started_at)
