"""The files of a WARP diag in which the client describes itself: status, settings, registration, statistics."""

import json
from email.utils import format_datetime

from simulator.artifacts.machine import ENDPOINT, ENDPOINT_PORT, RESOLVER
from simulator.artifacts.warp.scene import Scene

_PLATFORM_NAMES = {"windows": "Windows", "mac": "macOS", "linux": "Linux"}
_EXCLUDED = (
    "10.0.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "192.168.0.0/16",
    "224.0.0.0/24",
    "fe80::/10",
    "fd00::/8",
    "203.0.113.251/32 (meet.example.net)",
)
_FALLBACKS = ("home.arpa", "intranet", "lan", "local", "localdomain", "corp", "home")


def state_files(scene: Scene) -> dict[str, str]:
    facts = scene.facts
    return {
        "warp-status.txt": "Ok(Connected)\n",
        "warp-settings.txt": _settings(scene),
        "warp-account.txt": _account(scene),
        "warp-network.txt": _network(scene),
        "warp-stats.txt": _stats(scene),
        "warp-dns-stats.txt": _dns_stats(scene),
        "warp-device-posture.txt": _posture(scene),
        "warp-dex-data.txt": _dex_data(scene),
        "warp-dns-fallbacks.txt": "".join(f"{name}\n" for name in _FALLBACKS),
        "warp-dns-lock.json": json.dumps({"locked": False, "owner": None, "servers": [scene.machine.gateway]}),
        "warp-bus-metrics.txt": "subscribers: 14\npublished: 20481\nlagged: 0\n",
        "version.txt": f"Version: {facts.client_version}\n",
        "platform.txt": _PLATFORM_NAMES[facts.platform] + "\n",
        "date.txt": format_datetime(scene.now) + "\n",
        "timezone.txt": "Etc/UTC\n",
        "hostname.txt": facts.device_name + "\n",
    }


def _settings(scene: Scene) -> str:
    rows = (
        ("derived", "Always On: true"),
        ("network policy", "Switch Locked: false"),
        ("network policy", "Mode: WarpWithDnsOverHttps"),
        ("network policy", "WARP tunnel protocol: WireGuard"),
        ("default", "Disabled for Wifi: false"),
        ("default", "Disabled for Ethernet: false"),
        ("default", f"Resolve via: {RESOLVER}@443, 162.159.46.1@443"),
        ("default", "qlog logging: Disabled"),
        ("default", "Onboarding: true"),
        ("network policy", "Exclude mode, with hosts/ips:"),
        *((None, entry) for entry in _EXCLUDED),
        ("network policy", "Fallback domains:"),
        *((None, entry) for entry in _FALLBACKS),
        ("not set", "Daemon Teams Auth: false"),
        ("network policy", "Disable Auto Fallback: false"),
        ("network policy", "Captive Portal: 180"),
        ("network policy", "Support URL: "),
        ("network policy", f"Organization: {scene.organization}"),
        ("network policy", "Allow Mode Switch: false"),
        ("network policy", "Allow Updates: true"),
        ("network policy", "Allowed to Leave Org: false"),
        ("network policy", "Always set DNS: true"),
        ("network policy", "LAN Access Settings: Allowed until reconnect on a /24 subnet"),
        ("network policy", "Profile ID: default"),
    )
    lines = (f"({source})\t{text}" if source else f"  {text}" for source, text in rows)
    return "Merged configuration:\n" + "\n".join(lines) + "\n"


def _account(scene: Scene) -> str:
    facts = scene.facts
    return (
        f"Account type: Team\nDevice ID: {facts.device_id}\nPublic key: {scene.public_key}\n"
        f"Organization: {scene.organization}\nEmail: {facts.person_email}\n"
    )


def _network(scene: Scene) -> str:
    machine = scene.machine
    return json.dumps(
        {
            "primary_interface": machine.default_interface,
            "v4": {"address": machine.lan_address, "gateway": machine.gateway, "mtu": 1500},
            "v6": None,
            "dns_servers": [machine.gateway],
            "search_domains": [],
            "tunnel": {"interface": machine.tunnel_interface, "address": machine.tunnel_address, "mtu": 1280},
            "is_expensive": False,
        },
        indent=2,
    )


def _stats(scene: Scene) -> str:
    chance = scene.chance
    return (
        f"Endpoints: {ENDPOINT}:{ENDPOINT_PORT}, [2606:4700:100::a29f:c10a]:{ENDPOINT_PORT}\n"
        f"Time since last handshake: {scene.handshake_seconds}s\n"
        f"Sent: {chance.uniform(2, 90):.1f}MB; Received: {chance.uniform(40, 900):.1f}MB\n"
        f"Estimated latency: {scene.latency_ms}ms; Estimated loss: {chance.choice((0, 0, 0.01)):.2f}%;\n"
    )


def _dns_stats(scene: Scene) -> str:
    chance = scene.chance
    asked = chance.randint(4_000, 19_000)
    failed = chance.randint(0, 9)
    return (
        f"Queries: {asked}\nSuccesses: {asked - failed}\nTimeouts: {failed}\n"
        f"Fallback queries: {asked // 11}\nAverage response: {chance.randint(11, 29)}ms\n"
    )


def _posture(scene: Scene) -> str:
    checks = ("disk_encryption", "firewall", "os_version", "client_certificate")
    return "".join(f"{name}: success=true last_checked={scene.now.isoformat()}\n" for name in checks)


def _dex_data(scene: Scene) -> str:
    tests = (("https://mail.example.com/", 200), ("https://tickets.example.org/login", 200))
    lines = [
        f"http test {address}: status={status} total_ms={scene.chance.randint(60, 240)}\n" for address, status in tests
    ]
    return "".join(lines) + f"traceroute 10.20.0.1: hops=3 rtt_ms={scene.latency_ms + 6}\n"
