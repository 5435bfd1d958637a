"""The zips that the simulated devices upload: captures, WARP diags, speed tests.

Owns their bytes, and nothing about when they exist or who may fetch them. The same facts always give the same bytes:
no clock, no global random, so that a download can be resumed after the simulator was restarted.
"""

from simulator.artifacts.archive import pack
from simulator.artifacts.captures import capture_files
from simulator.artifacts.facts import ArtifactFacts
from simulator.artifacts.speed_test import speed_test_files
from simulator.artifacts.warp.diag import diag_files

__all__ = ["ArtifactFacts", "build_artifact"]

_MAKERS = {"pcap": capture_files, "warp-diag": diag_files, "speed-test": speed_test_files}


def build_artifact(facts: ArtifactFacts) -> bytes:
    return pack(_MAKERS[facts.kind](facts), at=facts.started_at)
