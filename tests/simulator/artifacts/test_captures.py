import io
import json
from collections.abc import Iterator
from typing import Any

import dpkt
import pytest

from simulator.artifacts import build_artifact
from tests.simulator.artifacts.made import STARTED_AT, facts, opened

WHOLE = {"packet-size-bytes": 1514}
BOTH = pytest.mark.parametrize("interface", ["default", "tunnel"])


def packets(content: bytes) -> list[tuple[float, bytes]]:
    return list(dpkt.pcap.Reader(io.BytesIO(content)))


def ip_packets(interface: str, content: bytes) -> Iterator[Any]:
    for _, frame in packets(content):
        if interface == "tunnel":
            yield dpkt.ip.IP(frame)
        elif isinstance(inside := dpkt.ethernet.Ethernet(frame).data, dpkt.ip.IP):
            yield inside


def capture(interface: str, **options: object) -> bytes:
    return opened(facts(options=options or WHOLE))[f"capture-{interface}.pcap"]


def test_the_card_is_ethernet_and_the_tunnel_raw_ip() -> None:
    files = opened(facts())
    links = [dpkt.pcap.Reader(io.BytesIO(files[f"capture-{name}.pcap"])).datalink() for name in ("default", "tunnel")]
    assert links == [dpkt.pcap.DLT_EN10MB, 101]
    assert set(files) == {"capture-default.pcap", "capture-tunnel.pcap", "results.json"}


@BOTH
def test_every_checksum_is_right(interface: str) -> None:
    checked = 0
    for packet in ip_packets(interface, capture(interface)):
        inside = packet.data
        said = (packet.sum, inside.sum)
        packet.sum = inside.sum = 0
        again = dpkt.ip.IP(bytes(packet))
        assert (again.sum, again.data.sum) == said
        checked += 1
    assert checked > 50


@BOTH
def test_packets_come_in_order_and_within_the_capture(interface: str) -> None:
    times = [at for at, _ in packets(capture(interface))]
    started = STARTED_AT.timestamp()
    assert times == sorted(times)
    assert started <= times[0] < times[-1] <= started + 300


@BOTH
def test_the_snap_length_cuts_packets_but_keeps_their_real_length(interface: str) -> None:
    whole, cut = capture(interface), capture(interface, **{"packet-size-bytes": 160})
    assert max(len(frame) for _, frame in packets(cut)) == 160
    assert [frame[:160] for _, frame in packets(whole)] == [frame for _, frame in packets(cut)]
    assert len(cut) < len(whole) < 60_000
    reader = dpkt.pcap.Reader(io.BytesIO(cut))
    assert reader.snaplen == 160
    real = [int.from_bytes(header, "little") for header in _real_lengths(cut)]
    assert real == [len(frame) for _, frame in packets(whole)]


def _real_lengths(content: bytes) -> Iterator[bytes]:
    at = 24
    while at < len(content):
        kept = int.from_bytes(content[at + 8 : at + 12], "little")
        yield content[at + 12 : at + 16]
        at += 16 + kept


@BOTH
def test_tcp_sequence_numbers_follow_what_was_sent(interface: str) -> None:
    expected: dict[tuple[bytes, int, bytes, int], int] = {}
    segments = 0
    for packet in ip_packets(interface, capture(interface)):
        if not isinstance(tcp := packet.data, dpkt.tcp.TCP):
            continue
        key = (packet.src, tcp.sport, packet.dst, tcp.dport)
        assert expected.get(key, tcp.seq) == tcp.seq
        length = len(tcp.data) + bool(tcp.flags & (dpkt.tcp.TH_SYN | dpkt.tcp.TH_FIN))
        expected[key] = (tcp.seq + length) % 2**32
        if tcp.flags & dpkt.tcp.TH_ACK:
            assert tcp.ack == expected[packet.dst, tcp.dport, packet.src, tcp.sport]
        segments += 1
    assert segments > 20


@BOTH
def test_lookups_are_answered_and_secure_visits_name_their_server(interface: str) -> None:
    asked: set[tuple[int, str]] = set()
    answered: set[tuple[int, str]] = set()
    named: set[str] = set()
    for packet in ip_packets(interface, capture(interface)):
        inside = packet.data
        if isinstance(inside, dpkt.udp.UDP) and 53 in (inside.sport, inside.dport):
            message = dpkt.dns.DNS(inside.data)
            (answered if message.qr else asked).add((message.id, message.qd[0].name))
        elif isinstance(inside, dpkt.tcp.TCP) and inside.data[:1] == b"\x16" and inside.data[5] == 1:
            hello = dpkt.ssl.TLSClientHello(inside.data[9:])
            named |= {content[5:].decode() for number, content in hello.extensions if number == 0}
    assert asked == answered
    assert named
    assert named <= {name for _, name in asked}


def test_an_interface_that_failed_leaves_no_file_and_does_not_change_the_other() -> None:
    both, one = opened(facts()), opened(facts(failed_interfaces=frozenset({"tunnel"})))
    assert set(one) == {"capture-default.pcap", "results.json"}
    assert one["capture-default.pcap"] == both["capture-default.pcap"]
    results = {row["interface"]: row for row in json.loads(one["results.json"])["captures"]}
    assert results["default"]["success"] is True
    assert results["tunnel"]["success"] is False
    assert "failed" in results["tunnel"]["error"]


def test_only_the_interfaces_that_were_asked_for_are_captured() -> None:
    files = opened(facts(options={"interfaces": ["tunnel"]}))
    assert set(files) == {"capture-tunnel.pcap", "results.json"}


def test_the_same_facts_give_the_same_bytes_and_another_command_others() -> None:
    assert build_artifact(facts()) == build_artifact(facts())
    assert build_artifact(facts()) != build_artifact(facts(command_id="another"))


def test_one_device_keeps_its_addresses_from_capture_to_capture() -> None:
    first, second = (opened(facts(command_id=name))["capture-default.pcap"] for name in ("one", "two"))
    sources = [{frame[6:12] for _, frame in packets(content)} for content in (first, second)]
    assert sources[0] == sources[1]
