"""Packets of one network interface, and the pcap file that holds them.

This module owns framing (Ethernet or raw IP), checksums, IP identification numbers and the snap length. `traffic.py`
decides what is in the packets. Times are whole microseconds since the capture began.
"""

import io
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random
from typing import Any, Protocol

import dpkt

ETHERNET, RAW_IP = 1, 101  # link types of the pcap format
_REMOTE_TTL = 57
_LOCAL_TTL = 64


def pack_address(address: str) -> bytes:
    return IPv4Address(address).packed


class Link(Protocol):
    """Link layer of an interface. `kind` is its link type in the pcap format."""

    @property
    def kind(self) -> int: ...

    def frame(self, packet: bytes, *, outgoing: bool) -> bytes: ...


@dataclass(frozen=True)
class EthernetLink:
    """Ethernet between the machine and its gateway."""

    own_mac: bytes
    gateway_mac: bytes
    kind: int = ETHERNET

    def frame(self, packet: bytes, *, outgoing: bool, protocol: int = dpkt.ethernet.ETH_TYPE_IP) -> bytes:
        to, source = (self.gateway_mac, self.own_mac) if outgoing else (self.own_mac, self.gateway_mac)
        return to + source + struct.pack(">H", protocol) + packet


@dataclass(frozen=True)
class RawLink:
    """IP packets without a link layer, as on a tunnel interface."""

    kind: int = RAW_IP

    def frame(self, packet: bytes, *, outgoing: bool) -> bytes:
        return packet


@dataclass
class Recorder:
    """Recorder of the packets that one interface sends and receives."""

    link: Link
    own_address: str
    rng: Random
    own_ttl: int = 64
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    _identification: dict[str, int] = field(default_factory=dict)
    _next_port: int = 0

    def new_port(self) -> int:
        if not self._next_port:
            self._next_port = self.rng.randint(49200, 60000)
        self._next_port += self.rng.randint(1, 7)
        return self._next_port

    def record(self, at: int, *, source: str, to: str, protocol: int, content: Any) -> None:
        outgoing = source == self.own_address
        packet = dpkt.ip.IP(
            src=pack_address(source),
            dst=pack_address(to),
            p=protocol,
            id=self._next_identification(source),
            ttl=self._ttl(source),
            data=content,
        )
        packet.df = 1
        self.packets.append((at, self.link.frame(bytes(packet), outgoing=outgoing)))

    def to_pcap(self, *, started_micros: int, snap_length: int) -> bytes:
        """Write a little-endian pcap file.

        A packet longer than the snap length is cut. Its header still holds the original length.
        """
        out = io.BytesIO()
        # magic number, version 2.4, time zone, accuracy, snap length, link type
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap_length, self.link.kind))
        for at, frame in sorted(self.packets, key=lambda packet: packet[0]):
            captured = frame[:snap_length]
            seconds, micros = divmod(started_micros + at, 1_000_000)
            out.write(struct.pack("<IIII", seconds, micros, len(captured), len(frame)))
            out.write(captured)
        return out.getvalue()

    def _ttl(self, source: str) -> int:
        """Return the TTL as this interface sees it: lower if routers lie between."""
        if source == self.own_address:
            return self.own_ttl
        same_network = source.rpartition(".")[0] == self.own_address.rpartition(".")[0]
        return _LOCAL_TTL if same_network else _REMOTE_TTL

    def _next_identification(self, source: str) -> int:
        last = self._identification.get(source)
        number = self.rng.randrange(65536) if last is None else (last + 1) % 65536
        self._identification[source] = number
        return number
