"""A packet capture's zip: an ordinary few minutes of one machine, seen on its network card and inside its tunnel."""

import json
from datetime import UTC, datetime, timedelta

from simulator.artifacts import conversations as talk
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
_BEFORE_THE_END = 3_000_000  # room for the last exchange
_SITES = (
    ("mail.example.com", "198.51.100.21"),
    ("files.example.com", "198.51.100.34"),
    ("tickets.example.org", "198.51.100.77"),
    ("chat.example.net", "203.0.113.250"),
)


def capture_files(facts: ArtifactFacts) -> dict[str, bytes]:
    machine = Machine.of(facts)
    makers = {"default": _on_the_card, "tunnel": _in_the_tunnel}
    names = {"default": machine.default_interface, "tunnel": machine.tunnel_interface}
    files: dict[str, bytes] = {}
    results: list[dict[str, object]] = []
    for interface in facts.interfaces():
        said: dict[str, object] = {"interface": interface, "name": names[interface]}
        if interface in facts.failed_interfaces:
            said |= {"success": False, "error": f"failed to open capture handle on {names[interface]}"}
        else:
            recorder = makers[interface](facts, machine)
            content = recorder.file(started_micros=_micros(facts.started_at), snap_length=_snap_length(facts))
            filename = f"capture-{interface}.pcap"
            files[filename] = content
            packets = len(recorder.packets)
            said |= {"success": True, "file": filename, "packets": packets, "bytes": len(content)}
        results.append(said)
    files["results.json"] = json.dumps({"captures": results}, indent=2).encode()
    return files


def _on_the_card(facts: ArtifactFacts, machine: Machine) -> Recorder:
    link = EthernetLink(own_mac=machine.mac, gateway_mac=machine.gateway_mac)
    recorder = _recorder(facts, link, machine.lan_address, "default")
    starts = _starts(facts, recorder, 12)
    talk.find_gateway(recorder, starts[0], gateway=machine.gateway)
    now = talk.ping(recorder, starts[0] + 5_000, to=machine.gateway, count=3, rtt=2_400)
    talk.wireguard_session(
        recorder, now, endpoint=(ENDPOINT, ENDPOINT_PORT), steps=[now + 40_000, *_after(starts, now)]
    )
    now = talk.look_up(recorder, starts[2], resolver=machine.gateway, name=CHECK_HOST, address=CHECK_ADDRESS, rtt=6_300)
    talk.http_visit(recorder, now + 900, host=CHECK_HOST, address=CHECK_ADDRESS, path="/generate_204", body=None)
    for start in (starts[5], starts[9]):
        now = talk.look_up(
            recorder, start, resolver=machine.gateway, name="meet.example.net", address="203.0.113.251", rtt=7_100
        )
        talk.tls_visit(recorder, now + 700, name="meet.example.net", address="203.0.113.251", rtt=18_000)
    talk.look_up(recorder, starts[7], resolver=machine.gateway, name="wpad.home.arpa", address=None, rtt=4_000)
    return recorder


def _in_the_tunnel(facts: ArtifactFacts, machine: Machine) -> Recorder:
    recorder = _recorder(facts, RawLink(), machine.tunnel_address, "tunnel")
    starts = _starts(facts, recorder, 8)
    for start, (name, address) in zip(starts[:4], _SITES, strict=True):
        now = talk.look_up(recorder, start, resolver=RESOLVER, name=name, address=address, rtt=14_500)
        talk.tls_visit(recorder, now + 800, name=name, address=address, rtt=24_000, pages=2)
    now = talk.look_up(recorder, starts[4], resolver=RESOLVER, name=TRACE_HOST, address=TRACE_ADDRESS, rtt=13_000)
    talk.tls_visit(recorder, now + 600, name=TRACE_HOST, address=TRACE_ADDRESS, rtt=12_000)
    intranet = f"intranet.{machine.domain}"
    now = talk.look_up(recorder, starts[5], resolver=RESOLVER, name=intranet, address="10.20.0.80", rtt=15_000)
    page = f"<!doctype html><title>Intranet</title><p>Welcome to {machine.domain}.</p>"
    talk.http_visit(recorder, now + 900, host=intranet, address="10.20.0.80", path="/", body=page)
    talk.ping(recorder, starts[6], to="10.20.0.1", count=4, rtt=27_000)
    talk.look_up(recorder, starts[7], resolver=RESOLVER, name=f"printer.{machine.domain}", address=None, rtt=16_000)
    return recorder


def _recorder(facts: ArtifactFacts, link: EthernetLink | RawLink, address: str, interface: str) -> Recorder:
    chance = facts.chance_of_command()
    chance.seed(f"{facts.seed}/{facts.command_id}/{interface}")  # a failed interface changes nothing on the other
    return Recorder(link, address, chance, own_ttl=128 if facts.platform == "windows" else 64)


def _starts(facts: ArtifactFacts, recorder: Recorder, count: int) -> list[int]:
    """When the exchanges begin: spread over the capture, a little irregularly."""
    span = max(int(facts.duration_seconds * 1_000_000) - _BEFORE_THE_END, 1_000_000)
    step = span // count
    return [index * step + recorder.chance.randrange(step // 2) for index in range(count)]


def _after(starts: list[int], now: int) -> list[int]:
    return [start + 60_000 for start in starts if start > now]


def _snap_length(facts: ArtifactFacts) -> int:
    asked = facts.options.get("packet-size-bytes", _DEFAULT_SNAP_LENGTH)
    return max(1, int(float(str(asked))))


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICRO
