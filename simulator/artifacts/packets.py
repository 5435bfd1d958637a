"""Packets of one network interface, in time order, and the capture file they make.

Owns framing (Ethernet or raw IP), checksums, identification numbers and the snap length; what is said in the packets is
`conversations`. Times are whole microseconds since the capture began.
"""

import io
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random
from typing import Any, Protocol

import dpkt

ETHERNET, RAW_IP = 1, 101  # link types of the pcap format
_FAR_TTL = 57
_NEIGHBOUR_TTL = 64


def packed(address: str) -> bytes:
    return IPv4Address(address).packed


class Link(Protocol):
    @property
    def kind(self) -> int: ...

    def frame(self, packet: bytes, *, outgoing: bool) -> bytes: ...


@dataclass(frozen=True)
class EthernetLink:
    own_mac: bytes
    gateway_mac: bytes
    kind: int = ETHERNET

    def frame(self, packet: bytes, *, outgoing: bool, protocol: int = dpkt.ethernet.ETH_TYPE_IP) -> bytes:
        to, source = (self.gateway_mac, self.own_mac) if outgoing else (self.own_mac, self.gateway_mac)
        return to + source + struct.pack(">H", protocol) + packet


@dataclass(frozen=True)
class RawLink:
    kind: int = RAW_IP

    def frame(self, packet: bytes, *, outgoing: bool) -> bytes:
        return packet


@dataclass
class Recorder:
    """Collects what one interface of the machine with `own_address` sees."""

    link: Link
    own_address: str
    chance: Random
    own_ttl: int = 64
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    _identification: dict[str, int] = field(default_factory=dict)
    _next_port: int = 0

    def new_port(self) -> int:
        if not self._next_port:
            self._next_port = self.chance.randint(49200, 60000)
        self._next_port += self.chance.randint(1, 7)
        return self._next_port

    def send(self, at: int, *, source: str, to: str, protocol: int, content: Any) -> None:
        outgoing = source == self.own_address
        packet = dpkt.ip.IP(
            src=packed(source),
            dst=packed(to),
            p=protocol,
            id=self._identify(source),
            ttl=self._ttl(source),
            data=content,
        )
        packet.df = 1
        self.packets.append((at, self.link.frame(bytes(packet), outgoing=outgoing)))

    def file(self, *, started_micros: int, snap_length: int) -> bytes:
        """A little-endian pcap; packets longer than the snap length keep their real length beside what is left."""
        out = io.BytesIO()
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap_length, self.link.kind))
        for at, frame in sorted(self.packets, key=lambda packet: packet[0]):
            kept = frame[:snap_length]
            seconds, micros = divmod(started_micros + at, 1_000_000)
            out.write(struct.pack("<IIII", seconds, micros, len(kept), len(frame)))
            out.write(kept)
        return out.getvalue()

    def _ttl(self, source: str) -> int:
        if source == self.own_address:
            return self.own_ttl
        same_network = source.rpartition(".")[0] == self.own_address.rpartition(".")[0]
        return _NEIGHBOUR_TTL if same_network else _FAR_TTL

    def _identify(self, source: str) -> int:
        last = self._identification.get(source)
        number = self.chance.randrange(65536) if last is None else (last + 1) % 65536
        self._identification[source] = number
        return number
