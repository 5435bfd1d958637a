"""The network side of one simulated device: addresses and names that all its artifacts share."""

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
    def of(cls, facts: ArtifactFacts) -> "Machine":
        chance = facts.chance_of_device()
        network = f"192.168.{chance.choice((0, 1, 8, 50, 178))}"
        local, _, domain = facts.person_email.partition("@")
        return cls(
            lan_address=f"{network}.{chance.randint(20, 240)}",
            gateway=f"{network}.1",
            mac=b"\x02" + chance.randbytes(5),  # locally administered: belongs to no maker
            gateway_mac=b"\x06" + chance.randbytes(5),
            tunnel_address=f"100.96.{chance.randint(0, 15)}.{chance.randint(2, 250)}",
            public_address=f"203.0.113.{chance.randint(2, 250)}",
            default_interface=_DEFAULT_INTERFACE[facts.platform],
            tunnel_interface=_TUNNEL_INTERFACE[facts.platform],
            colo=chance.choice(_COLOS),
            user=local,
            domain=domain or "example.com",
        )

    @property
    def mac_text(self) -> str:
        return self.mac.hex(":")
