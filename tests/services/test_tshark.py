"""Captures of the simulator, read by tshark, an independent program."""

import subprocess
from pathlib import Path

import pytest

from simulator.artifacts import build_artifact
from simulator.artifacts.facts import Platform
from tests.polling import MAX_WAIT
from tests.simulator.artifacts.samples import build_and_unzip, sample_facts

CAPTURES = pytest.mark.parametrize("interface", ["default", "tunnel"])
CHECKSUMS = ("ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE")
COMPLAINTS = (
    "_ws.malformed || _ws.expert.severity >= 6291456"  # a warning or worse
    " || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0"
)


def tshark(capture: Path, *arguments: str) -> list[str]:
    options = [option for name in CHECKSUMS for option in ("-o", name)]
    completed = subprocess.run(
        ["tshark", "-n", "-r", str(capture), *options, *arguments],
        capture_output=True,
        text=True,
        timeout=MAX_WAIT,
        check=True,
    )
    assert "cut short" not in completed.stderr
    return completed.stdout.splitlines()


def write_capture(tmp_path: Path, interface: str, platform: Platform = "mac", snap_length: int = 1514) -> Path:
    command_facts = sample_facts(platform=platform, options={"packet-size-bytes": snap_length})
    target = tmp_path / f"{interface}.pcap"
    target.write_bytes(build_and_unzip(command_facts)[f"capture-{interface}.pcap"])
    return target


def values(capture: Path, field: str) -> set[str]:
    return {line for line in tshark(capture, "-T", "fields", "-e", field) if line}


@CAPTURES
@pytest.mark.parametrize("snap_length", [160, 1500, 65535])
def test_tshark_has_no_complaint(tmp_path: Path, interface: str, snap_length: int) -> None:
    capture = write_capture(tmp_path, interface, snap_length=snap_length)
    assert tshark(capture, "-Y", COMPLAINTS) == []
    assert len(tshark(capture)) > 50


@pytest.mark.parametrize("platform", ["windows", "linux"])
def test_tshark_has_no_complaint_about_other_platforms(tmp_path: Path, platform: Platform) -> None:
    for interface in ("default", "tunnel"):
        assert tshark(write_capture(tmp_path, interface, platform), "-Y", COMPLAINTS) == []


def test_tshark_complains_about_a_wrong_checksum(tmp_path: Path) -> None:
    capture = write_capture(tmp_path, "tunnel")
    content = bytearray(capture.read_bytes())
    content[24 + 16 + 10] ^= 0xFF  # the first packet's IP checksum
    capture.write_bytes(content)
    assert tshark(capture, "-Y", COMPLAINTS)


def test_tshark_sees_names_servers_and_requests(tmp_path: Path) -> None:
    card, tunnel = write_capture(tmp_path, "default"), write_capture(tmp_path, "tunnel")
    assert {"cp.cloudflare.com", "meet.example.net"} <= values(card, "dns.qry.name")
    assert values(card, "tls.handshake.extensions_server_name") == {"meet.example.net"}
    assert values(card, "http.request.uri") == {"/generate_204"}
    assert values(card, "http.response.code") == {"204"}
    assert "mail.example.com" in values(tunnel, "tls.handshake.extensions_server_name")
    assert values(tunnel, "http.host") == {"intranet.example.com"}
    assert values(tunnel, "http.response.code") == {"200"}
    assert values(tunnel, "icmp.type") == {"0", "8"}
    assert values(card, "wg.type") == {"1", "2", "4"}


def test_tshark_has_no_complaint_about_many_devices_and_commands(tmp_path: Path) -> None:
    for number in range(6):
        command_facts = sample_facts(command_id=f"command-{number}", device_id=f"device-{number}", seed=number)
        assert build_artifact(command_facts)
        for interface in ("default", "tunnel"):
            target = tmp_path / f"{number}-{interface}.pcap"
            target.write_bytes(build_and_unzip(command_facts)[f"capture-{interface}.pcap"])
            assert tshark(target, "-Y", COMPLAINTS) == []
