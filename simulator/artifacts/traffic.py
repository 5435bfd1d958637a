"""Network traffic of one machine: DNS, ARP, ping, TLS, HTTP and WireGuard.

Each function writes a whole, consistent exchange into a `Recorder`, and most return the instant at which it ends.
Times are microseconds since the capture began.
"""

from dataclasses import dataclass, field

import dpkt

from simulator.artifacts import protocol_messages
from simulator.artifacts.packets import EthernetLink, Recorder, pack_address

_ACK, _SYN, _FIN, _PUSH = dpkt.tcp.TH_ACK, dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_PUSH


def send_udp(recorder: Recorder, at: int, source: tuple[str, int], to: tuple[str, int], content: bytes) -> None:
    datagram = dpkt.udp.UDP(sport=source[1], dport=to[1], data=content)
    datagram.ulen = len(datagram)
    recorder.record(at, source=source[0], to=to[0], protocol=dpkt.ip.IP_PROTO_UDP, content=datagram)


def dns_lookup(recorder: Recorder, at: int, *, resolver: str, name: str, address: str | None, rtt: int) -> int:
    """Record a DNS query and its response. If `address` is None, the response is NXDOMAIN."""
    rng = recorder.rng
    query_id, port = rng.randrange(65536), recorder.new_port()
    question = dpkt.dns.DNS.Q(name=name, type=dpkt.dns.DNS_A, cls=dpkt.dns.DNS_IN)
    answers = []
    if address:
        ttl = rng.choice((30, 60, 300))
        answers = [dpkt.dns.DNS.RR(name=name, type=dpkt.dns.DNS_A, ttl=ttl, ip=pack_address(address), rdata=b"")]
    # flags: 0x0100 asks for recursion, 0x8180 is a response, 0x8183 a response with the error NXDOMAIN
    query = dpkt.dns.DNS(id=query_id, op=0x0100, qd=[question], an=[], ns=[], ar=[])
    response = dpkt.dns.DNS(id=query_id, op=0x8180 if address else 0x8183, qd=[question], an=answers, ns=[], ar=[])
    send_udp(recorder, at, (recorder.own_address, port), (resolver, 53), bytes(query))
    send_udp(recorder, at + rtt, (resolver, 53), (recorder.own_address, port), bytes(response))
    return at + rtt


def ping(recorder: Recorder, at: int, *, to: str, count: int, rtt: int) -> int:
    echo_id = recorder.rng.randrange(1, 65536)
    filler = bytes(range(0x10, 0x38))
    for sequence in range(1, count + 1):
        echo = dpkt.icmp.ICMP.Echo(id=echo_id, seq=sequence, data=filler)
        round_trip = rtt + recorder.rng.randrange(rtt // 4 + 1)
        # ICMP types: 8 is an echo request, 0 its reply
        for kind, source, target, moment in (
            (8, recorder.own_address, to, at),
            (0, to, recorder.own_address, at + round_trip),
        ):
            content = dpkt.icmp.ICMP(type=kind, data=echo)
            recorder.record(moment, source=source, to=target, protocol=dpkt.ip.IP_PROTO_ICMP, content=content)
        at += round_trip + 200_000
    return at


def arp_lookup(recorder: Recorder, at: int, *, gateway: str) -> int:
    """Record the ARP request for the gateway and its reply. Only an Ethernet link has ARP."""
    link = recorder.link
    if not isinstance(link, EthernetLink):
        raise TypeError("ARP needs an Ethernet link")
    own, far = pack_address(recorder.own_address), pack_address(gateway)
    request = dpkt.arp.ARP(op=1, sha=link.own_mac, spa=own, tha=bytes(6), tpa=far)
    reply = dpkt.arp.ARP(op=2, sha=link.gateway_mac, spa=far, tha=link.own_mac, tpa=own)
    broadcast = EthernetLink(own_mac=link.own_mac, gateway_mac=b"\xff" * 6)
    kind = dpkt.ethernet.ETH_TYPE_ARP
    recorder.packets.append((at, broadcast.frame(bytes(request), outgoing=True, protocol=kind)))
    recorder.packets.append((at + 1_800, link.frame(bytes(reply), outgoing=False, protocol=kind)))
    return at + 1_800


@dataclass
class TcpStream:
    """TCP connection from the machine to a server. Every method advances `at`, the current instant.

    `_own` and `_far` are the next sequence numbers of the machine and of the server.
    """

    recorder: Recorder
    server: tuple[str, int]
    at: int
    rtt: int
    segment_size: int = 1460
    port: int = field(init=False)
    _own: int = field(init=False)
    _far: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.recorder.new_port()
        self._own = self.recorder.rng.randrange(2**32)
        self._far = self.recorder.rng.randrange(2**32)

    def open(self) -> None:
        # TCP options: maximum segment size, two NOPs as padding, SACK permitted
        options = b"\x02\x04" + self.segment_size.to_bytes(2) + b"\x01\x01\x04\x02"
        self._segment(_SYN, own=True, options=options)
        # SYN and FIN each count as one byte of the sequence
        self._own = (self._own + 1) % 2**32
        self.at += self.rtt
        self._segment(_SYN | _ACK, own=False, options=options)
        self._far = (self._far + 1) % 2**32
        self.at += 60
        self._segment(_ACK, own=True)

    def send(self, content: bytes) -> None:
        """Record data from the machine, and the server's acknowledgement a round trip later."""
        self._send(content, own=True)
        self.at += self.rtt
        self._segment(_ACK, own=False)

    def receive(self, content: bytes) -> None:
        """Record data from the server, and the machine's acknowledgement."""
        self.at += self.recorder.rng.randrange(200, 4_000)
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
        for start in range(0, len(content), self.segment_size):
            piece = content[start : start + self.segment_size]
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
        # header length in words of 4 bytes
        segment.off = (20 + len(options)) // 4
        self.recorder.record(self.at, source=source[0], to=to[0], protocol=dpkt.ip.IP_PROTO_TCP, content=segment)


def tls_visit(recorder: Recorder, at: int, *, name: str, address: str, rtt: int, pages: int = 1) -> int:
    """Record a TLS connection with a handshake and `pages` encrypted requests."""
    rng = recorder.rng
    stream = TcpStream(recorder, (address, 443), at, rtt, segment_size=_segment_size(recorder))
    stream.open()
    stream.send(protocol_messages.client_hello(name, rng))
    stream.receive(
        protocol_messages.server_hello(rng) + protocol_messages.application_data(rng.randrange(2100, 2900), rng)
    )
    stream.send(protocol_messages.application_data(53, rng))
    for _ in range(pages):
        stream.send(protocol_messages.application_data(rng.randrange(180, 420), rng))
        stream.receive(protocol_messages.application_data(rng.randrange(300, 2400), rng))
    return stream.close()


def http_visit(recorder: Recorder, at: int, *, host: str, address: str, path: str, body: str | None) -> int:
    """Record an unencrypted request. If `body` is None, the response is 204 No Content."""
    stream = TcpStream(recorder, (address, 80), at, rtt=11_000, segment_size=_segment_size(recorder))
    stream.open()
    stream.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode())
    if body is None:
        stream.receive(b"HTTP/1.1 204 No Content\r\nServer: cloudflare\r\nConnection: close\r\n\r\n")
    else:
        content = body.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(content)}\r\n\r\n"
        stream.receive(head.encode() + content)
    return stream.close()


def wireguard_session(recorder: Recorder, at: int, *, endpoint: tuple[str, int], steps: list[int]) -> None:
    """Record a handshake at `at`, then a packet in each direction at each of `steps`."""
    rng = recorder.rng
    own, far = rng.randrange(1, 2**32), rng.randrange(1, 2**32)
    near = (recorder.own_address, recorder.new_port())
    send_udp(recorder, at, near, endpoint, protocol_messages.wireguard_initiation(own, rng))
    send_udp(recorder, at + 13_000, endpoint, near, protocol_messages.wireguard_response(far, own, rng))
    for counter, moment in enumerate(steps):
        out, back = rng.choice((40, 64, 220)), rng.choice((52, 380, 900))
        send_udp(recorder, moment, near, endpoint, protocol_messages.wireguard_data(far, counter, out, rng))
        send_udp(recorder, moment + 14_000, endpoint, near, protocol_messages.wireguard_data(own, counter, back, rng))


def _segment_size(recorder: Recorder) -> int:
    return 1460 if isinstance(recorder.link, EthernetLink) else 1240
