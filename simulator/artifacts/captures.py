"""Files of a capture's zip: ordinary traffic of one machine, on its network card and inside its tunnel."""

import json
from datetime import UTC, datetime, timedelta

from simulator.artifacts import traffic
from simulator.artifacts.facts import ArtifactFacts
from simulator.artifacts.machine import (
    CHECK_ADDRESS,
    CHECK_HOST,
    ENDPOINT,
    ENDPOINT_PORT,
    RESOLVER,
    TRACE_ADDRESS,
    TRACE_HOST,
    Machine,
)
from simulator.artifacts.packets import EthernetLink, RawLink, Recorder

_DEFAULT_SNAP_LENGTH = 160
_MICRO = timedelta(microseconds=1)
_TAIL_MICROS = 3_000_000  # no exchange starts in the last 3 seconds, so that the last one can finish
_SITES = (
    ("mail.example.com", "198.51.100.21"),
    ("files.example.com", "198.51.100.34"),
    ("tickets.example.org", "198.51.100.77"),
    ("chat.example.net", "203.0.113.250"),
)


def capture_files(facts: ArtifactFacts) -> dict[str, bytes]:
    machine = Machine.from_facts(facts)
    recorders = {"default": _record_default_interface, "tunnel": _record_tunnel}
    names = {"default": machine.default_interface, "tunnel": machine.tunnel_interface}
    files: dict[str, bytes] = {}
    results: list[dict[str, object]] = []
    for interface in facts.interfaces():
        result: dict[str, object] = {"interface": interface, "name": names[interface]}
        if interface in facts.failed_interfaces:
            result |= {"success": False, "error": f"failed to open capture handle on {names[interface]}"}
        else:
            recorder = recorders[interface](facts, machine)
            content = recorder.to_pcap(started_micros=_micros(facts.started_at), snap_length=_snap_length(facts))
            filename = f"capture-{interface}.pcap"
            files[filename] = content
            packets = len(recorder.packets)
            result |= {"success": True, "file": filename, "packets": packets, "bytes": len(content)}
        results.append(result)
    files["results.json"] = json.dumps({"captures": results}, indent=2).encode()
    return files


def _record_default_interface(facts: ArtifactFacts, machine: Machine) -> Recorder:
    link = EthernetLink(own_mac=machine.mac, gateway_mac=machine.gateway_mac)
    recorder = _recorder(facts, link, machine.lan_address, "default")
    starts = _starts(facts, recorder, 12)
    traffic.arp_lookup(recorder, starts[0], gateway=machine.gateway)
    now = traffic.ping(recorder, starts[0] + 5_000, to=machine.gateway, count=3, rtt=2_400)
    traffic.wireguard_session(
        recorder, now, endpoint=(ENDPOINT, ENDPOINT_PORT), steps=[now + 40_000, *_keepalives(starts, now)]
    )
    now = traffic.dns_lookup(
        recorder, starts[2], resolver=machine.gateway, name=CHECK_HOST, address=CHECK_ADDRESS, rtt=6_300
    )
    traffic.http_visit(recorder, now + 900, host=CHECK_HOST, address=CHECK_ADDRESS, path="/generate_204", body=None)
    for start in (starts[5], starts[9]):
        now = traffic.dns_lookup(
            recorder, start, resolver=machine.gateway, name="meet.example.net", address="203.0.113.251", rtt=7_100
        )
        traffic.tls_visit(recorder, now + 700, name="meet.example.net", address="203.0.113.251", rtt=18_000)
    traffic.dns_lookup(recorder, starts[7], resolver=machine.gateway, name="wpad.home.arpa", address=None, rtt=4_000)
    return recorder


def _record_tunnel(facts: ArtifactFacts, machine: Machine) -> Recorder:
    recorder = _recorder(facts, RawLink(), machine.tunnel_address, "tunnel")
    starts = _starts(facts, recorder, 8)
    for start, (name, address) in zip(starts[:4], _SITES, strict=True):
        now = traffic.dns_lookup(recorder, start, resolver=RESOLVER, name=name, address=address, rtt=14_500)
        traffic.tls_visit(recorder, now + 800, name=name, address=address, rtt=24_000, pages=2)
    now = traffic.dns_lookup(recorder, starts[4], resolver=RESOLVER, name=TRACE_HOST, address=TRACE_ADDRESS, rtt=13_000)
    traffic.tls_visit(recorder, now + 600, name=TRACE_HOST, address=TRACE_ADDRESS, rtt=12_000)
    intranet = f"intranet.{machine.domain}"
    now = traffic.dns_lookup(recorder, starts[5], resolver=RESOLVER, name=intranet, address="10.20.0.80", rtt=15_000)
    page = f"<!doctype html><title>Intranet</title><p>Welcome to {machine.domain}.</p>"
    traffic.http_visit(recorder, now + 900, host=intranet, address="10.20.0.80", path="/", body=page)
    traffic.ping(recorder, starts[6], to="10.20.0.1", count=4, rtt=27_000)
    traffic.dns_lookup(
        recorder, starts[7], resolver=RESOLVER, name=f"printer.{machine.domain}", address=None, rtt=16_000
    )
    return recorder


def _recorder(facts: ArtifactFacts, link: EthernetLink | RawLink, address: str, interface: str) -> Recorder:
    rng = facts.command_rng()
    rng.seed(
        f"{facts.seed}/{facts.command_id}/{interface}"
    )  # a generator for each interface: if one fails, the other stays the same
    return Recorder(link, address, rng, own_ttl=128 if facts.platform == "windows" else 64)


def _starts(facts: ArtifactFacts, recorder: Recorder, count: int) -> list[int]:
    """Spread the starts of `count` exchanges over the capture, at slightly irregular intervals."""
    span = max(int(facts.duration_seconds * 1_000_000) - _TAIL_MICROS, 1_000_000)
    step = span // count
    return [index * step + recorder.rng.randrange(step // 2) for index in range(count)]


def _keepalives(starts: list[int], now: int) -> list[int]:
    return [start + 60_000 for start in starts if start > now]


def _snap_length(facts: ArtifactFacts) -> int:
    length = facts.options.get("packet-size-bytes", _DEFAULT_SNAP_LENGTH)
    return max(1, int(float(str(length))))


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICRO
