"""Network identity of one simulated device: addresses and names that all its artifacts share."""

from dataclasses import dataclass

from simulator.artifacts.facts import ArtifactFacts, Platform

_DEFAULT_INTERFACE: dict[Platform, str] = {"windows": "Wi-Fi", "mac": "en0", "linux": "wlp2s0"}
_TUNNEL_INTERFACE: dict[Platform, str] = {
    "windows": "CloudflareWARP",
    "mac": "utun4",
    "linux": "CloudflareWARP",
}
_COLOS = ("AMS", "FRA", "LHR", "CDG", "VIE", "WAW", "IAD", "SJC")
RESOLVER = "162.159.36.1"
ENDPOINT = "162.159.193.10"
ENDPOINT_PORT = 2408
TRACE_HOST = "www.cloudflare.com"
TRACE_ADDRESS = "104.16.124.96"
CHECK_HOST = "cp.cloudflare.com"
CHECK_ADDRESS = "104.16.132.229"


@dataclass(frozen=True)
class Machine:
    """Addresses, interfaces and user of one device. They are the same for every command on it."""

    lan_address: str
    gateway: str
    mac: bytes
    gateway_mac: bytes
    tunnel_address: str
    public_address: str
    default_interface: str
    tunnel_interface: str
    colo: str
    user: str
    domain: str

    @classmethod
    def from_facts(cls, facts: ArtifactFacts) -> "Machine":
        rng = facts.device_rng()
        network = f"192.168.{rng.choice((0, 1, 8, 50, 178))}"
        local, _, domain = facts.person_email.partition("@")
        return cls(
            lan_address=f"{network}.{rng.randint(20, 240)}",
            gateway=f"{network}.1",
            mac=b"\x02" + rng.randbytes(5),  # 02 and 06: locally administered, so that no vendor owns the address
            gateway_mac=b"\x06" + rng.randbytes(5),
            tunnel_address=f"100.96.{rng.randint(0, 15)}.{rng.randint(2, 250)}",
            public_address=f"203.0.113.{rng.randint(2, 250)}",
            default_interface=_DEFAULT_INTERFACE[facts.platform],
            tunnel_interface=_TUNNEL_INTERFACE[facts.platform],
            colo=rng.choice(_COLOS),
            user=local,
            domain=domain or "example.com",
        )

    @property
    def mac_text(self) -> str:
        return self.mac.hex(":")
