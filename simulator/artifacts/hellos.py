"""The opening messages of TLS 1.3 and of WireGuard as bytes: real forms around random keys."""

import struct
from random import Random

_HANDSHAKE, _APPLICATION = 22, 23
_X25519 = 0x001D


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack(">HH", number, len(content)) + content


def _sized(content: bytes, form: str = ">H") -> bytes:
    return struct.pack(form, len(content)) + content


def _record(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(content)) + content


def _handshake(kind: int, content: bytes) -> bytes:
    return struct.pack(">I", kind << 24 | len(content)) + content


def client_hello(server_name: str, chance: Random) -> bytes:
    """The server's name comes first and the session is new, so that even 160 bytes of a packet hold the name."""
    name = _sized(b"\x00" + _sized(server_name.encode()))
    extensions = b"".join(
        (
            _extension(0, name),
            _extension(10, _sized(struct.pack(">HHH", _X25519, 0x0017, 0x0018))),
            _extension(13, _sized(struct.pack(">5H", 0x0403, 0x0804, 0x0401, 0x0503, 0x0805))),
            _extension(16, _sized(_sized(b"h2", ">B") + _sized(b"http/1.1", ">B"))),
            _extension(43, _sized(struct.pack(">H", 0x0304), ">B")),
            _extension(45, b"\x01\x01"),
            _extension(51, _sized(struct.pack(">H", _X25519) + _sized(chance.randbytes(32)))),
        )
    )
    ciphers = struct.pack(">HHH", 0x1301, 0x1302, 0x1303)
    body = b"\x03\x03" + chance.randbytes(32) + b"\x00" + _sized(ciphers) + b"\x01\x00" + _sized(extensions)
    return _record(_HANDSHAKE, _handshake(1, body), version=0x0301)


def server_hello(chance: Random) -> bytes:
    extensions = _extension(51, struct.pack(">H", _X25519) + _sized(chance.randbytes(32)))
    extensions += _extension(43, struct.pack(">H", 0x0304))
    body = b"\x03\x03" + chance.randbytes(32) + b"\x00" + struct.pack(">HB", 0x1301, 0) + _sized(extensions)
    return _record(_HANDSHAKE, _handshake(2, body))


def sealed(length: int, chance: Random) -> bytes:
    """Application data, as anyone without the keys sees it."""
    return _record(_APPLICATION, chance.randbytes(length))


def wireguard_initiation(sender: int, chance: Random) -> bytes:
    return struct.pack("<II", 1, sender) + chance.randbytes(140)


def wireguard_response(sender: int, receiver: int, chance: Random) -> bytes:
    return struct.pack("<III", 2, sender, receiver) + chance.randbytes(80)


def wireguard_data(receiver: int, counter: int, length: int, chance: Random) -> bytes:
    """`length` is that of the packet inside; the real thing pads it to 16 bytes and adds a tag of 16."""
    return struct.pack("<IIQ", 4, receiver, counter) + chance.randbytes(-(-length // 16) * 16 + 16)
