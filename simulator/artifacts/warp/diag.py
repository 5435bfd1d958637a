"""All files of a WARP diag. They describe a healthy device, and differ by platform."""

from simulator.artifacts.facts import ArtifactFacts
from simulator.artifacts.warp.client import client_files
from simulator.artifacts.warp.context import DiagContext
from simulator.artifacts.warp.logs import log_files
from simulator.artifacts.warp.network import network_files
from simulator.artifacts.warp.system import system_files


def diag_files(facts: ArtifactFacts) -> dict[str, bytes]:
    context = DiagContext.from_facts(facts)
    files = client_files(context) | log_files(context) | network_files(context) | system_files(context)
    line_end = "\r\n" if facts.platform == "windows" else "\n"
    return {name: text.replace("\n", line_end).encode() for name, text in sorted(files.items())}
