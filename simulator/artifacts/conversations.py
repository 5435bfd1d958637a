"""What machines say to each other: lookups, handshakes, requests, pings, tunnel traffic.

Each function or object writes whole, consistent exchanges into a `Recorder`; times are microseconds since the capture
began, and each exchange returns when it ended.
"""

from dataclasses import dataclass, field

import dpkt

from simulator.artifacts import hellos
from simulator.artifacts.packets import EthernetLink, Recorder, packed

_ACK, _SYN, _FIN, _PUSH = dpkt.tcp.TH_ACK, dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_PUSH


def udp(recorder: Recorder, at: int, source: tuple[str, int], to: tuple[str, int], content: bytes) -> None:
    datagram = dpkt.udp.UDP(sport=source[1], dport=to[1], data=content)
    datagram.ulen = len(datagram)
    recorder.send(at, source=source[0], to=to[0], protocol=dpkt.ip.IP_PROTO_UDP, content=datagram)


def look_up(recorder: Recorder, at: int, *, resolver: str, name: str, address: str | None, rtt: int) -> int:
    """One DNS question and its answer; without an address the name does not exist."""
    chance = recorder.chance
    number, port = chance.randrange(65536), recorder.new_port()
    question = dpkt.dns.DNS.Q(name=name, type=dpkt.dns.DNS_A, cls=dpkt.dns.DNS_IN)
    answers = []
    if address:
        ttl = chance.choice((30, 60, 300))
        answers = [dpkt.dns.DNS.RR(name=name, type=dpkt.dns.DNS_A, ttl=ttl, ip=packed(address), rdata=b"")]
    asked = dpkt.dns.DNS(id=number, op=0x0100, qd=[question], an=[], ns=[], ar=[])
    said = dpkt.dns.DNS(id=number, op=0x8180 if address else 0x8183, qd=[question], an=answers, ns=[], ar=[])
    udp(recorder, at, (recorder.own_address, port), (resolver, 53), bytes(asked))
    udp(recorder, at + rtt, (resolver, 53), (recorder.own_address, port), bytes(said))
    return at + rtt


def ping(recorder: Recorder, at: int, *, to: str, count: int, rtt: int) -> int:
    number = recorder.chance.randrange(1, 65536)
    filler = bytes(range(0x10, 0x38))
    for sequence in range(1, count + 1):
        echo = dpkt.icmp.ICMP.Echo(id=number, seq=sequence, data=filler)
        back = rtt + recorder.chance.randrange(rtt // 4 + 1)
        for kind, source, target, moment in (
            (8, recorder.own_address, to, at),
            (0, to, recorder.own_address, at + back),
        ):
            content = dpkt.icmp.ICMP(type=kind, data=echo)
            recorder.send(moment, source=source, to=target, protocol=dpkt.ip.IP_PROTO_ICMP, content=content)
        at += back + 200_000
    return at


def find_gateway(recorder: Recorder, at: int, *, gateway: str) -> int:
    """ARP question and answer; only on an Ethernet link."""
    link = recorder.link
    if not isinstance(link, EthernetLink):
        raise TypeError("a raw IP link knows no ARP")
    own, far = packed(recorder.own_address), packed(gateway)
    asked = dpkt.arp.ARP(op=1, sha=link.own_mac, spa=own, tha=bytes(6), tpa=far)
    said = dpkt.arp.ARP(op=2, sha=link.gateway_mac, spa=far, tha=link.own_mac, tpa=own)
    everyone = EthernetLink(own_mac=link.own_mac, gateway_mac=b"\xff" * 6)
    kind = dpkt.ethernet.ETH_TYPE_ARP
    recorder.packets.append((at, everyone.frame(bytes(asked), outgoing=True, protocol=kind)))
    recorder.packets.append((at + 1_800, link.frame(bytes(said), outgoing=False, protocol=kind)))
    return at + 1_800


@dataclass
class TcpStream:
    """One TCP connection that the machine opened; `at` moves on with every call."""

    recorder: Recorder
    server: tuple[str, int]
    at: int
    rtt: int
    largest: int = 1460
    port: int = field(init=False)
    _own: int = field(init=False)
    _far: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.recorder.new_port()
        self._own = self.recorder.chance.randrange(2**32)
        self._far = self.recorder.chance.randrange(2**32)

    def open(self) -> None:
        options = b"\x02\x04" + self.largest.to_bytes(2) + b"\x01\x01\x04\x02"
        self._segment(_SYN, own=True, options=options)
        self._own = (self._own + 1) % 2**32
        self.at += self.rtt
        self._segment(_SYN | _ACK, own=False, options=options)
        self._far = (self._far + 1) % 2**32
        self.at += 60
        self._segment(_ACK, own=True)

    def say(self, content: bytes) -> None:
        """The machine sends; the server acknowledges half a round trip's jitter later."""
        self._send(content, own=True)
        self.at += self.rtt
        self._segment(_ACK, own=False)

    def hear(self, content: bytes) -> None:
        self.at += self.recorder.chance.randrange(200, 4_000)
        self._send(content, own=False)
        self.at += 50
        self._segment(_ACK, own=True)

    def close(self) -> int:
        self.at += 2_000
        self._segment(_FIN | _ACK, own=True)
        self._own = (self._own + 1) % 2**32
        self.at += self.rtt
        self._segment(_FIN | _ACK, own=False)
        self._far = (self._far + 1) % 2**32
        self.at += 50
        self._segment(_ACK, own=True)
        return self.at

    def _send(self, content: bytes, *, own: bool) -> None:
        for start in range(0, len(content), self.largest):
            piece = content[start : start + self.largest]
            last = start + len(piece) == len(content)
            self._segment(_ACK | _PUSH if last else _ACK, own=own, content=piece)
            self.at += 15
            if own:
                self._own = (self._own + len(piece)) % 2**32
            else:
                self._far = (self._far + len(piece)) % 2**32

    def _segment(self, flags: int, *, own: bool, content: bytes = b"", options: bytes = b"") -> None:
        near, far = (self.recorder.own_address, self.port), self.server
        source, to = (near, far) if own else (far, near)
        sequence, other = (self._own, self._far) if own else (self._far, self._own)
        segment = dpkt.tcp.TCP(
            sport=source[1],
            dport=to[1],
            seq=sequence,
            ack=other if flags & _ACK else 0,
            flags=flags,
            win=64240,
            opts=options,
            data=content,
        )
        segment.off = (20 + len(options)) // 4
        self.recorder.send(self.at, source=source[0], to=to[0], protocol=dpkt.ip.IP_PROTO_TCP, content=segment)


def tls_visit(recorder: Recorder, at: int, *, name: str, address: str, rtt: int, pages: int = 1) -> int:
    chance = recorder.chance
    stream = TcpStream(recorder, (address, 443), at, rtt, largest=_largest(recorder))
    stream.open()
    stream.say(hellos.client_hello(name, chance))
    stream.hear(hellos.server_hello(chance) + hellos.sealed(chance.randrange(2100, 2900), chance))
    stream.say(hellos.sealed(53, chance))
    for _ in range(pages):
        stream.say(hellos.sealed(chance.randrange(180, 420), chance))
        stream.hear(hellos.sealed(chance.randrange(300, 2400), chance))
    return stream.close()


def http_visit(recorder: Recorder, at: int, *, host: str, address: str, path: str, body: str | None) -> int:
    """A plain request; without a body the answer is 204."""
    stream = TcpStream(recorder, (address, 80), at, rtt=11_000, largest=_largest(recorder))
    stream.open()
    stream.say(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode())
    if body is None:
        stream.hear(b"HTTP/1.1 204 No Content\r\nServer: cloudflare\r\nConnection: close\r\n\r\n")
    else:
        content = body.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(content)}\r\n\r\n"
        stream.hear(head.encode() + content)
    return stream.close()


def wireguard_session(recorder: Recorder, at: int, *, endpoint: tuple[str, int], steps: list[int]) -> None:
    """A handshake at `at`, then one packet out and one back at each later step."""
    chance = recorder.chance
    own, far = chance.randrange(1, 2**32), chance.randrange(1, 2**32)
    near = (recorder.own_address, recorder.new_port())
    udp(recorder, at, near, endpoint, hellos.wireguard_initiation(own, chance))
    udp(recorder, at + 13_000, endpoint, near, hellos.wireguard_response(far, own, chance))
    for counter, moment in enumerate(steps):
        out, back = chance.choice((40, 64, 220)), chance.choice((52, 380, 900))
        udp(recorder, moment, near, endpoint, hellos.wireguard_data(far, counter, out, chance))
        udp(recorder, moment + 14_000, endpoint, near, hellos.wireguard_data(own, counter, back, chance))


def _largest(recorder: Recorder) -> int:
    return 1460 if isinstance(recorder.link, EthernetLink) else 1240
