"""Files of a WARP diag about the machine: processes, programs, certificate, management profile."""

import base64
import json
import textwrap

from simulator.artifacts.warp.context import DiagContext, command_output

_PROCESSES = {
    "windows": ("System", "svchost.exe", "explorer.exe", "warp-svc.exe", "Cloudflare WARP.exe", "MsMpEng.exe"),
    "mac": ("launchd", "WindowServer", "Finder", "CloudflareWARP", "Cloudflare WARP", "mDNSResponder"),
    "linux": ("systemd", "NetworkManager", "warp-svc", "warp-taskbar", "gnome-shell", "systemd-resolved"),
}
_PROGRAMS = ("Cloudflare WARP", "Firefox", "LibreOffice", "Thunderbird", "VLC media player", "Zulip")


def system_files(context: DiagContext) -> dict[str, str]:
    return {
        "installed_applications.txt": "".join(f"{name}\n" for name in _PROGRAMS),
        "installed_cert.pem": _certificate(context),
        "sysinfo.json": json.dumps(
            {"os": context.system, "model": context.model, "cores": 8, "memory_bytes": 17_179_869_184}, indent=2
        ),
    } | _PLATFORM_FILES[context.facts.platform](context)


def _certificate(context: DiagContext) -> str:
    """Build a file that looks like the organization's root certificate. Its content is random."""
    body = base64.b64encode(b"\x30\x82\x02\x1c" + context.facts.device_rng().randbytes(540)).decode()
    return "-----BEGIN CERTIFICATE-----\n" + "\n".join(textwrap.wrap(body, 64)) + "\n-----END CERTIFICATE-----\n"


def _processes(context: DiagContext) -> str:
    first = context.rng.randint(200, 900)
    rows = enumerate(_PROCESSES[context.facts.platform])
    return "  PID  CPU%   MEM  NAME\n" + "".join(
        f"{first + 37 * index:>5}  {context.rng.uniform(0, 3):>4.1f}  {context.rng.randint(4, 380):>3}M  {name}\n"
        for index, name in rows
    )


def _windows(context: DiagContext) -> dict[str, str]:
    policy = (
        f"organization = {context.organization}\nauto_connect = 1\nservice_mode = warp\nauth_client_secret = REDACTED\n"
    )
    return {
        "processes.txt": _processes(context),
        "systeminfo.txt": (
            f"Host Name:                 {context.facts.device_name}\nOS Name:                   {context.system}\n"
            f"System Model:              {context.model}\nRegistered Owner:          {context.machine.user}\n"
        ),
        "local_policy.redacted.txt": policy,
        "mdm.xml": (
            f"<dict>\n  <key>organization</key>\n  <string>{context.organization}</string>\n"
            "  <key>auto_connect</key>\n  <integer>1</integer>\n</dict>\n"
        ),
    }


def _mac(context: DiagContext) -> dict[str, str]:
    name, version, build = context.system.split()
    return {
        "ps.txt": command_output(_processes(context)),
        "system-profile.txt": command_output(
            f"Hardware:\n\n    Hardware Overview:\n\n      Model Identifier: {context.model}\n"
        ),
        "sw-vers.txt": command_output(
            f"ProductName:\t\t{name}\nProductVersion:\t\t{version}\nBuildVersion:\t\t{build}\n"
        ),
        "uname.txt": command_output("Darwin arm64\n"),
        "mdm.plist": (
            '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n'
            f"  <key>organization</key>\n  <string>{context.organization}</string>\n</dict>\n</plist>\n"
        ),
    }


def _linux(context: DiagContext) -> dict[str, str]:
    release, kernel = context.system.rsplit(maxsplit=1)
    return {
        "ps.txt": command_output(_processes(context)),
        "lsb-release.txt": command_output(f"Description:\t{release}\n"),
        "uname.txt": command_output(f"Linux {context.facts.device_name} {kernel} x86_64 GNU/Linux\n"),
    }


_PLATFORM_FILES = {"windows": _windows, "mac": _mac, "linux": _linux}
