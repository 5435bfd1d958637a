"""Files of a WARP diag about the client itself: status, settings, registration, statistics."""

import json
from email.utils import format_datetime

from simulator.artifacts.machine import ENDPOINT, ENDPOINT_PORT, RESOLVER
from simulator.artifacts.warp.context import DiagContext

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


def client_files(context: DiagContext) -> dict[str, str]:
    facts = context.facts
    return {
        "warp-status.txt": "Ok(Connected)\n",
        "warp-settings.txt": _settings(context),
        "warp-account.txt": _account(context),
        "warp-network.txt": _network(context),
        "warp-stats.txt": _stats(context),
        "warp-dns-stats.txt": _dns_stats(context),
        "warp-device-posture.txt": _posture(context),
        "warp-dex-data.txt": _dex_data(context),
        "warp-dns-fallbacks.txt": "".join(f"{name}\n" for name in _FALLBACKS),
        "warp-dns-lock.json": json.dumps({"locked": False, "owner": None, "servers": [context.machine.gateway]}),
        "warp-bus-metrics.txt": "subscribers: 14\npublished: 20481\nlagged: 0\n",
        "version.txt": f"Version: {facts.client_version}\n",
        "platform.txt": _PLATFORM_NAMES[facts.platform] + "\n",
        "date.txt": format_datetime(context.now) + "\n",
        "timezone.txt": "Etc/UTC\n",
        "hostname.txt": facts.device_name + "\n",
    }


def _settings(context: DiagContext) -> str:
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
        ("network policy", f"Organization: {context.organization}"),
        ("network policy", "Allow Mode Switch: false"),
        ("network policy", "Allow Updates: true"),
        ("network policy", "Allowed to Leave Org: false"),
        ("network policy", "Always set DNS: true"),
        ("network policy", "LAN Access Settings: Allowed until reconnect on a /24 subnet"),
        ("network policy", "Profile ID: default"),
    )
    lines = (f"({source})\t{text}" if source else f"  {text}" for source, text in rows)
    return "Merged configuration:\n" + "\n".join(lines) + "\n"


def _account(context: DiagContext) -> str:
    facts = context.facts
    return (
        f"Account type: Team\nDevice ID: {facts.device_id}\nPublic key: {context.public_key}\n"
        f"Organization: {context.organization}\nEmail: {facts.person_email}\n"
    )


def _network(context: DiagContext) -> str:
    machine = context.machine
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


def _stats(context: DiagContext) -> str:
    rng = context.rng
    return (
        f"Endpoints: {ENDPOINT}:{ENDPOINT_PORT}, [2606:4700:100::a29f:c10a]:{ENDPOINT_PORT}\n"
        f"Time since last handshake: {context.handshake_seconds}s\n"
        f"Sent: {rng.uniform(2, 90):.1f}MB; Received: {rng.uniform(40, 900):.1f}MB\n"
        f"Estimated latency: {context.latency_ms}ms; Estimated loss: {rng.choice((0, 0, 0.01)):.2f}%;\n"
    )


def _dns_stats(context: DiagContext) -> str:
    rng = context.rng
    queries = rng.randint(4_000, 19_000)
    failed = rng.randint(0, 9)
    return (
        f"Queries: {queries}\nSuccesses: {queries - failed}\nTimeouts: {failed}\n"
        f"Fallback queries: {queries // 11}\nAverage response: {rng.randint(11, 29)}ms\n"
    )


def _posture(context: DiagContext) -> str:
    checks = ("disk_encryption", "firewall", "os_version", "client_certificate")
    return "".join(f"{name}: success=true last_checked={context.now.isoformat()}\n" for name in checks)


def _dex_data(context: DiagContext) -> str:
    tests = (("https://mail.example.com/", 200), ("https://tickets.example.org/login", 200))
    lines = [
        f"http test {address}: status={status} total_ms={context.rng.randint(60, 240)}\n" for address, status in tests
    ]
    return "".join(lines) + f"traceroute 10.20.0.1: hops=3 rtt_ms={context.latency_ms + 6}\n"
