"""Messages of TLS 1.3 and WireGuard as bytes, in their real formats but with random keys and content."""

import struct
from random import Random

_HANDSHAKE, _APPLICATION = 22, 23
_X25519 = 0x001D


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack(">HH", number, len(content)) + content


def _sized(content: bytes, length_format: str = ">H") -> bytes:
    """Prefix content with its length."""
    return struct.pack(length_format, len(content)) + content


def _record(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(content)) + content


def _handshake(kind: int, content: bytes) -> bytes:
    return struct.pack(">I", kind << 24 | len(content)) + content


def client_hello(server_name: str, rng: Random) -> bytes:
    """Build a ClientHello.

    The server name is the first extension, and the session id is empty, so that the name lies within the first 160
    bytes of the packet, the default snap length.
    """
    name = _sized(b"\x00" + _sized(server_name.encode()))
    extensions = b"".join(
        (
            _extension(0, name),  # server_name
            _extension(10, _sized(struct.pack(">HHH", _X25519, 0x0017, 0x0018))),  # supported_groups
            _extension(13, _sized(struct.pack(">5H", 0x0403, 0x0804, 0x0401, 0x0503, 0x0805))),  # signature_algorithms
            _extension(16, _sized(_sized(b"h2", ">B") + _sized(b"http/1.1", ">B"))),  # ALPN
            _extension(43, _sized(struct.pack(">H", 0x0304), ">B")),  # supported_versions: TLS 1.3
            _extension(45, b"\x01\x01"),  # psk_key_exchange_modes
            _extension(51, _sized(struct.pack(">H", _X25519) + _sized(rng.randbytes(32)))),  # key_share
        )
    )
    ciphers = struct.pack(">HHH", 0x1301, 0x1302, 0x1303)
    body = b"\x03\x03" + rng.randbytes(32) + b"\x00" + _sized(ciphers) + b"\x01\x00" + _sized(extensions)
    return _record(_HANDSHAKE, _handshake(1, body), version=0x0301)


def server_hello(rng: Random) -> bytes:
    extensions = _extension(51, struct.pack(">H", _X25519) + _sized(rng.randbytes(32)))
    extensions += _extension(43, struct.pack(">H", 0x0304))
    body = b"\x03\x03" + rng.randbytes(32) + b"\x00" + struct.pack(">HB", 0x1301, 0) + _sized(extensions)
    return _record(_HANDSHAKE, _handshake(2, body))


def application_data(length: int, rng: Random) -> bytes:
    """Build an encrypted record of `length` bytes."""
    return _record(_APPLICATION, rng.randbytes(length))


def wireguard_initiation(sender: int, rng: Random) -> bytes:
    return struct.pack("<II", 1, sender) + rng.randbytes(140)


def wireguard_response(sender: int, receiver: int, rng: Random) -> bytes:
    return struct.pack("<III", 2, sender, receiver) + rng.randbytes(80)


def wireguard_data(receiver: int, counter: int, length: int, rng: Random) -> bytes:
    """Build a data message for an inner packet of `length` bytes.

    WireGuard pads the packet to a multiple of 16 bytes, and adds an authentication tag of 16.
    """
    return struct.pack("<IIQ", 4, receiver, counter) + rng.randbytes(-(-length // 16) * 16 + 16)
