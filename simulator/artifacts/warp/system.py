"""The files of a WARP diag about the machine itself: processes, programs, certificate, management profile."""

import base64
import json
import textwrap

from simulator.artifacts.warp.scene import Scene, command_output

_PROCESSES = {
    "windows": ("System", "svchost.exe", "explorer.exe", "warp-svc.exe", "Cloudflare WARP.exe", "MsMpEng.exe"),
    "mac": ("launchd", "WindowServer", "Finder", "CloudflareWARP", "Cloudflare WARP", "mDNSResponder"),
    "linux": ("systemd", "NetworkManager", "warp-svc", "warp-taskbar", "gnome-shell", "systemd-resolved"),
}
_PROGRAMS = ("Cloudflare WARP", "Firefox", "LibreOffice", "Thunderbird", "VLC media player", "Zulip")


def system_files(scene: Scene) -> dict[str, str]:
    return {
        "installed_applications.txt": "".join(f"{name}\n" for name in _PROGRAMS),
        "installed_cert.pem": _certificate(scene),
        "sysinfo.json": json.dumps(
            {"os": scene.system, "model": scene.model, "cores": 8, "memory_bytes": 17_179_869_184}, indent=2
        ),
    } | _OF_PLATFORM[scene.facts.platform](scene)


def _certificate(scene: Scene) -> str:
    """Looks like the organisation's root certificate; the bytes inside are invented."""
    body = base64.b64encode(b"\x30\x82\x02\x1c" + scene.facts.chance_of_device().randbytes(540)).decode()
    return "-----BEGIN CERTIFICATE-----\n" + "\n".join(textwrap.wrap(body, 64)) + "\n-----END CERTIFICATE-----\n"


def _processes(scene: Scene) -> str:
    first = scene.chance.randint(200, 900)
    rows = enumerate(_PROCESSES[scene.facts.platform])
    return "  PID  CPU%   MEM  NAME\n" + "".join(
        f"{first + 37 * index:>5}  {scene.chance.uniform(0, 3):>4.1f}  {scene.chance.randint(4, 380):>3}M  {name}\n"
        for index, name in rows
    )


def _windows(scene: Scene) -> dict[str, str]:
    policy = (
        f"organization = {scene.organization}\nauto_connect = 1\nservice_mode = warp\nauth_client_secret = REDACTED\n"
    )
    return {
        "processes.txt": _processes(scene),
        "systeminfo.txt": (
            f"Host Name:                 {scene.facts.device_name}\nOS Name:                   {scene.system}\n"
            f"System Model:              {scene.model}\nRegistered Owner:          {scene.machine.user}\n"
        ),
        "local_policy.redacted.txt": policy,
        "mdm.xml": (
            f"<dict>\n  <key>organization</key>\n  <string>{scene.organization}</string>\n"
            "  <key>auto_connect</key>\n  <integer>1</integer>\n</dict>\n"
        ),
    }


def _mac(scene: Scene) -> dict[str, str]:
    name, version, build = scene.system.split()
    return {
        "ps.txt": command_output(_processes(scene)),
        "system-profile.txt": command_output(
            f"Hardware:\n\n    Hardware Overview:\n\n      Model Identifier: {scene.model}\n"
        ),
        "sw-vers.txt": command_output(
            f"ProductName:\t\t{name}\nProductVersion:\t\t{version}\nBuildVersion:\t\t{build}\n"
        ),
        "uname.txt": command_output("Darwin arm64\n"),
        "mdm.plist": (
            '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n'
            f"  <key>organization</key>\n  <string>{scene.organization}</string>\n</dict>\n</plist>\n"
        ),
    }


def _linux(scene: Scene) -> dict[str, str]:
    release, kernel = scene.system.rsplit(maxsplit=1)
    return {
        "ps.txt": command_output(_processes(scene)),
        "lsb-release.txt": command_output(f"Description:\t{release}\n"),
        "uname.txt": command_output(f"Linux {scene.facts.device_name} {kernel} x86_64 GNU/Linux\n"),
    }


_OF_PLATFORM = {"windows": _windows, "mac": _mac, "linux": _linux}
