import io
import json
from collections.abc import Iterator
from typing import Any

import dpkt
import pytest

from simulator.artifacts import build_artifact
from tests.simulator.artifacts.samples import STARTED_AT, build_and_unzip, sample_facts

WHOLE_PACKETS = {"packet-size-bytes": 1514}
ON_BOTH_INTERFACES = pytest.mark.parametrize("interface", ["default", "tunnel"])


def packets(content: bytes) -> list[tuple[float, bytes]]:
    return list(dpkt.pcap.Reader(io.BytesIO(content)))


def ip_packets(interface: str, content: bytes) -> Iterator[Any]:
    for _, frame in packets(content):
        if interface == "tunnel":
            yield dpkt.ip.IP(frame)
        elif isinstance(inside := dpkt.ethernet.Ethernet(frame).data, dpkt.ip.IP):
            yield inside


def capture(interface: str, **options: object) -> bytes:
    return build_and_unzip(sample_facts(options=options or WHOLE_PACKETS))[f"capture-{interface}.pcap"]


def test_default_interface_is_ethernet_and_the_tunnel_is_raw_ip() -> None:
    files = build_and_unzip(sample_facts())
    links = [dpkt.pcap.Reader(io.BytesIO(files[f"capture-{name}.pcap"])).datalink() for name in ("default", "tunnel")]
    assert links == [dpkt.pcap.DLT_EN10MB, 101]
    assert set(files) == {"capture-default.pcap", "capture-tunnel.pcap", "results.json"}


@ON_BOTH_INTERFACES
def test_every_checksum_is_correct(interface: str) -> None:
    checked = 0
    for packet in ip_packets(interface, capture(interface)):
        inside = packet.data
        recorded = (packet.sum, inside.sum)
        packet.sum = inside.sum = 0
        recomputed = dpkt.ip.IP(bytes(packet))
        assert (recomputed.sum, recomputed.data.sum) == recorded
        checked += 1
    assert checked > 50


@ON_BOTH_INTERFACES
def test_packets_are_in_order_and_within_the_capture(interface: str) -> None:
    times = [at for at, _ in packets(capture(interface))]
    started = STARTED_AT.timestamp()
    assert times == sorted(times)
    assert started <= times[0] < times[-1] <= started + 300


@ON_BOTH_INTERFACES
def test_snap_length_cuts_packets_but_their_original_length_is_recorded(interface: str) -> None:
    whole, cut = capture(interface), capture(interface, **{"packet-size-bytes": 160})
    assert max(len(frame) for _, frame in packets(cut)) == 160
    assert [frame[:160] for _, frame in packets(whole)] == [frame for _, frame in packets(cut)]
    assert len(cut) < len(whole) < 60_000
    reader = dpkt.pcap.Reader(io.BytesIO(cut))
    assert reader.snaplen == 160
    original_lengths = [int.from_bytes(header, "little") for header in _original_lengths(cut)]
    assert original_lengths == [len(frame) for _, frame in packets(whole)]


def _original_lengths(content: bytes) -> Iterator[bytes]:
    at = 24
    while at < len(content):
        captured_length = int.from_bytes(content[at + 8 : at + 12], "little")
        yield content[at + 12 : at + 16]
        at += 16 + captured_length


@ON_BOTH_INTERFACES
def test_tcp_sequence_and_acknowledgement_numbers_follow_the_data(interface: str) -> None:
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


@ON_BOTH_INTERFACES
def test_dns_queries_have_responses_and_tls_connections_show_a_queried_server_name(interface: str) -> None:
    queried: set[tuple[int, str]] = set()
    answered: set[tuple[int, str]] = set()
    tls_names: set[str] = set()
    for packet in ip_packets(interface, capture(interface)):
        inside = packet.data
        if isinstance(inside, dpkt.udp.UDP) and 53 in (inside.sport, inside.dport):
            message = dpkt.dns.DNS(inside.data)
            (answered if message.qr else queried).add((message.id, message.qd[0].name))
        elif isinstance(inside, dpkt.tcp.TCP) and inside.data[:1] == b"\x16" and inside.data[5] == 1:
            hello = dpkt.ssl.TLSClientHello(inside.data[9:])
            tls_names |= {content[5:].decode() for number, content in hello.extensions if number == 0}
    assert queried == answered
    assert tls_names
    assert tls_names <= {name for _, name in queried}


def test_failed_interface_has_no_file_and_does_not_change_the_other_one() -> None:
    both, only_default = (
        build_and_unzip(sample_facts()),
        build_and_unzip(sample_facts(failed_interfaces=frozenset({"tunnel"}))),
    )
    assert set(only_default) == {"capture-default.pcap", "results.json"}
    assert only_default["capture-default.pcap"] == both["capture-default.pcap"]
    results = {row["interface"]: row for row in json.loads(only_default["results.json"])["captures"]}
    assert results["default"]["success"] is True
    assert results["tunnel"]["success"] is False
    assert "failed" in results["tunnel"]["error"]


def test_only_the_requested_interfaces_are_captured() -> None:
    files = build_and_unzip(sample_facts(options={"interfaces": ["tunnel"]}))
    assert set(files) == {"capture-tunnel.pcap", "results.json"}


def test_same_facts_give_the_same_bytes_and_another_command_gives_others() -> None:
    assert build_artifact(sample_facts()) == build_artifact(sample_facts())
    assert build_artifact(sample_facts()) != build_artifact(sample_facts(command_id="another"))


def test_device_has_the_same_addresses_in_every_capture() -> None:
    first, second = (build_and_unzip(sample_facts(command_id=name))["capture-default.pcap"] for name in ("one", "two"))
    sources = [{frame[6:12] for _, frame in packets(content)} for content in (first, second)]
    assert sources[0] == sources[1]
