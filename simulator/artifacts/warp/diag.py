"""Puts the files of a WARP diag together. A healthy device on each platform; some files exist on one of them only."""

from simulator.artifacts.facts import ArtifactFacts
from simulator.artifacts.warp.logs import log_files
from simulator.artifacts.warp.network import network_files
from simulator.artifacts.warp.scene import Scene
from simulator.artifacts.warp.state import state_files
from simulator.artifacts.warp.system import system_files


def diag_files(facts: ArtifactFacts) -> dict[str, bytes]:
    scene = Scene.of(facts)
    files = state_files(scene) | log_files(scene) | network_files(scene) | system_files(scene)
    line_end = "\r\n" if facts.platform == "windows" else "\n"
    return {name: text.replace("\n", line_end).encode() for name, text in sorted(files.items())}
