"""Files of a WARP diag about the network: the client's own checks, and the output of system commands."""

from simulator.artifacts.machine import CHECK_ADDRESS, ENDPOINT, ENDPOINT_PORT, RESOLVER, Machine
from simulator.artifacts.warp.context import DiagContext, command_output

_PRIVATE_ROUTES = ("10.20.0.0/16", "0.0.0.0/1", "128.0.0.0/1")


def network_files(context: DiagContext) -> dict[str, str]:
    machine = context.machine
    return {
        "connectivity.txt": _connectivity(context),
        "dns-check.txt": f"mail.example.com: 198.51.100.21 via 127.0.2.2 in {context.latency_ms + 2}ms\n",
        "traceroute.txt": command_output(_traceroute(context)),
        "v4interfaces.txt": _interfaces(machine),
        "v6interfaces.txt": "lo ::1\n",
        "bound-dns-ports.txt": "udp 127.0.2.2:53 warp-svc\nudp 127.0.2.3:53 warp-svc\n",
        "etc-hosts.txt": "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
        "captive-portal-hotspot-detect.txt": "No captive portal found\n",
    } | _PLATFORM_FILES[context.facts.platform](context)


def _connectivity(context: DiagContext) -> str:
    machine = context.machine

    def trace(address: str, warp: str) -> str:
        return f"ip={address}\ncolo={machine.colo}\nhttp=http/2\ntls=TLSv1.3\nwarp={warp}\ngateway={warp}\n"

    return (
        f"Resolution of engage.cloudflareclient.com: Ok({ENDPOINT})\n"
        f"Resolution of cp.cloudflare.com: Ok({CHECK_ADDRESS})\n"
        f"Tunnel endpoint {ENDPOINT}:{ENDPOINT_PORT} reachable: true\n"
        f"DoH {RESOLVER}:443 reachable: true\n\n"
        f"Trace outside tunnel:\n{trace(machine.public_address, 'off')}\n"
        f"Trace inside tunnel:\n{trace('104.28.157.20', 'on')}"
    )


def _traceroute(context: DiagContext) -> str:
    machine, latency = context.machine, context.latency_ms
    hops = ((machine.gateway, 2), ("100.64.0.1", latency // 2), (ENDPOINT, latency))
    head = f"traceroute to {ENDPOINT}, 30 hops max, 60 byte packets\n"
    return head + "".join(f" {number}  {host}  {ms}.2 ms\n" for number, (host, ms) in enumerate(hops, start=1))


def _interfaces(machine: Machine) -> str:
    return (
        f"lo 127.0.0.1/8\n{machine.default_interface} {machine.lan_address}/24\n"
        f"{machine.tunnel_interface} {machine.tunnel_address}/32\n"
    )


def _windows(context: DiagContext) -> dict[str, str]:
    machine = context.machine
    ipconfig = (
        f"Windows IP Configuration\n\n   Host Name . . . . . . . . . . . . : {context.facts.device_name}\n\n"
        f"Wireless LAN adapter {machine.default_interface}:\n\n"
        f"   Physical Address. . . . . . . . . : {machine.mac.hex('-').upper()}\n"
        f"   IPv4 Address. . . . . . . . . . . : {machine.lan_address}(Preferred)\n"
        f"   Default Gateway . . . . . . . . . : {machine.gateway}\n"
        f"   DNS Servers . . . . . . . . . . . : 127.0.2.2\n\n"
        f"Unknown adapter {machine.tunnel_interface}:\n\n"
        f"   IPv4 Address. . . . . . . . . . . : {machine.tunnel_address}(Preferred)\n"
    )
    rows = "".join(f"  {route:<18} {machine.tunnel_address:<16} 5\n" for route in _PRIVATE_ROUTES)
    return {
        "ipconfig.txt": ipconfig,
        "routetable.txt": f"  0.0.0.0/0          {machine.gateway:<16} 35\n{rows}",
        "netstat.txt": f"  UDP    127.0.2.2:53           *:*\n  UDP    {machine.lan_address}:137      *:*\n",
        "firewall-rules.txt": "Rule Name: Cloudflare WARP\nEnabled: Yes\nDirection: Out\nAction: Allow\n",
    }


def _mac(context: DiagContext) -> dict[str, str]:
    machine = context.machine
    routes = "".join(f"{route:<18} link#19            UCS    {machine.tunnel_interface}\n" for route in _PRIVATE_ROUTES)
    return {
        "ifconfig.txt": command_output(_ifconfig(machine)),
        "netstat.txt": command_output(f"default            {machine.gateway}       UGScg  en0\n{routes}"),
        "route.txt": command_output(f"   route to: {ENDPOINT}\n  interface: {machine.default_interface}\n"),
        "dig.txt": command_output(_dig()),
        "resolv.conf": "nameserver 127.0.2.2\nnameserver 127.0.2.3\n",
        "scutil-dns.txt": command_output("resolver #1\n  nameserver[0] : 127.0.2.2\n  flags    : Request A records\n"),
        "dhcp-lease.txt": command_output(f"server_identifier (ip): {machine.gateway}\nlease_time (uint32): 0x15180\n"),
        "firewall-rules.txt": command_output('anchor "com.cloudflare.warp" all\n'),
    }


def _linux(context: DiagContext) -> dict[str, str]:
    machine = context.machine
    routes = "".join(f"{route} dev {machine.tunnel_interface} scope link\n" for route in _PRIVATE_ROUTES)
    return {
        "ifconfig.txt": command_output(_ifconfig(machine)),
        "netstat.txt": command_output("udp  0  0 127.0.2.2:53  0.0.0.0:*  warp-svc\n"),
        "route.txt": command_output(f"default via {machine.gateway} dev {machine.default_interface}\n{routes}"),
        "dig.txt": command_output(_dig()),
        "resolv.conf": "nameserver 127.0.2.2\nnameserver 127.0.2.3\noptions edns0 trust-ad\n",
        "dhcp-lease.txt": "Failed to read the lease: No such file or directory (os error 2)\n",
        "firewall-rules.txt": command_output("table inet cloudflare-warp {\n\tchain output { }\n}\n"),
    }


def _ifconfig(machine: Machine) -> str:
    return (
        f"{machine.default_interface}: flags=8863<UP,BROADCAST,RUNNING,MULTICAST> mtu 1500\n"
        f"\tether {machine.mac_text}\n\tinet {machine.lan_address} netmask 255.255.255.0\n"
        f"{machine.tunnel_interface}: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280\n"
        f"\tinet {machine.tunnel_address} --> {machine.tunnel_address} netmask 255.255.255.255\n"
    )


def _dig() -> str:
    return ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 20481\nmail.example.com.\t60\tIN\tA\t198.51.100.21\n"


_PLATFORM_FILES = {"windows": _windows, "mac": _mac, "linux": _linux}
