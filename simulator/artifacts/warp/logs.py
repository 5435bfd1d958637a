"""The logs of a WARP diag: lines in the client's form, newest last, a few of them rotated.

Ordinary life only: connecting, handshakes, lookups, tests, a network change. Planted troubles are not its business.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

from simulator.artifacts.machine import ENDPOINT, ENDPOINT_PORT, RESOLVER
from simulator.artifacts.warp.scene import Scene, stamp

_NAMES = ("mail.example.com", "files.example.com", "tickets.example.org", "chat.example.net", "cp.cloudflare.com")
_HANDSHAKE_EVERY = timedelta(seconds=120)
_STATS_EVERY = timedelta(minutes=1)

Line = tuple[datetime, str]


def log_files(scene: Scene) -> dict[str, str]:
    """`daemon.log` covers the last two hours, `daemon.log.1` the six hours before."""
    now = scene.now
    recent, older = now - timedelta(hours=2), now - timedelta(hours=8)
    files = {
        "daemon.log": _written(_daemon(scene, recent, now)),
        "daemon.log.1": _written([*_start_of_daemon(scene, older), *_daemon(scene, older, recent)]),
        "daemon_dns.log": _written(_lookups(scene, now - timedelta(minutes=20), now)),
        "daemon_dns.log.1": _written(_lookups(scene, now - timedelta(minutes=60), now - timedelta(minutes=20))),
        "boringtun.log": _written(_handshakes(scene, recent, now)),
        "dns_stats.log": _written(_dns_stats(scene, recent, now)),
        "connection_stats.log": _written(_connection_stats(scene, recent, now)),
        "dex.log": _written(_dex(scene, recent, now)),
        "ipc.log": _written(_ipc(scene, now)),
        "dynamic.log": "",
        "taskdump.log": _written([(now, "INFO warp::taskdump: 41 tasks alive, none blocked")]),
        "route-change.log": _written(_routes(scene, older)),
        "gui-log.log": _written(_gui(scene, older, now)),
        "gui-launcher.log": _written([(older, "INFO warp_launcher: tray application started")]),
    }
    installer = "msi-installer.log" if scene.facts.platform == "windows" else "installer.log"
    version = scene.facts.client_version
    installed = now - timedelta(days=scene.facts.chance_of_device().randint(9, 60))
    files[installer] = _written([(installed, f"INFO installer: version {version} installed, service started")])
    return files


def _written(lines: Iterable[Line]) -> str:
    return "".join(f"{stamp(at)} {text}\n" for at, text in sorted(lines))


def _every(start: datetime, end: datetime, step: timedelta, chance: Random) -> Iterator[datetime]:
    """Moments from start to end, each up to a tenth of a step late."""
    moment = start
    while moment < end:
        yield min(moment + step * chance.uniform(0, 0.1), end)
        moment += step


def _start_of_daemon(scene: Scene, at: datetime) -> list[Line]:
    machine, facts = scene.machine, scene.facts
    texts = (
        f"INFO warp_svc: starting version {facts.client_version} on {facts.platform}",
        "DEBUG warp::settings: loaded settings from disk\n  layers: default, network policy, user",
        f"INFO warp::registration: device {facts.device_id} registered with {scene.organization}",
        f"DEBUG network_info: primary interface {machine.default_interface} address {machine.lan_address}",
        "INFO warp::firewall: rules applied",
        f"DEBUG warp::connect: trying endpoint {ENDPOINT}:{ENDPOINT_PORT}",
        "INFO warp::tunnel: handshake complete",
        f"INFO warp::tunnel: interface {machine.tunnel_interface} up with {machine.tunnel_address}",
        "INFO warp::dns: listening on 127.0.2.2:53 and 127.0.2.3:53",
        "INFO main_loop: status changed to Connected",
    )
    return [(at + timedelta(milliseconds=140 * index), text) for index, text in enumerate(texts)]


def _daemon(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    chance, colo = scene.chance, scene.machine.colo
    for at in _every(start, end, timedelta(seconds=45), chance):
        yield at, f"DEBUG main_loop: watchdog alive, {chance.randint(30, 48)} tasks"
    for at in _every(start, end, timedelta(minutes=5), chance):
        answer = f"DEBUG warp::connectivity: trace inside tunnel\n  warp=on\n  colo={colo}\n  gateway=on"
        yield at, answer
    for at in _every(start, end, timedelta(minutes=10), chance):
        yield at, "DEBUG warp::posture: 4 checks sent, all successful"
    for at in _every(start, end, timedelta(minutes=30), chance):
        yield at, "INFO warp::settings: policy fetched, unchanged"


def _lookups(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    chance = scene.chance
    for at in _every(start, end, timedelta(seconds=6), chance):
        name, took = chance.choice(_NAMES), chance.randint(8, 44)
        yield at, f"DEBUG dns_proxy::resolver: {name}. A NOERROR via {RESOLVER} in {took}ms"


def _handshakes(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    last = end - timedelta(seconds=scene.handshake_seconds)
    count = (last - start) // _HANDSHAKE_EVERY
    for index in range(count + 1):
        at = last - index * _HANDSHAKE_EVERY
        yield at, f"DEBUG boringtun::noise: sending handshake_initiation to {ENDPOINT}:{ENDPOINT_PORT}"
        yield at + timedelta(milliseconds=scene.latency_ms), "DEBUG boringtun::noise: received handshake_response"


def _dns_stats(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    chance = scene.chance
    for at in _every(start, end, _STATS_EVERY, chance):
        asked, average = chance.randint(20, 160), chance.randint(11, 29)
        yield at, f"INFO dns_proxy::stats: queries={asked} timeouts=0 servfail=0 average_ms={average}"


def _connection_stats(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    chance = scene.chance
    for at in _every(start, end, _STATS_EVERY, chance):
        latency = scene.latency_ms + chance.randint(-3, 9)
        yield at, f"INFO warp::stats: latency_ms={latency} loss_percent=0.0 jitter_ms={chance.randint(0, 4)}"


def _dex(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    chance = scene.chance
    for at in _every(start, end, timedelta(minutes=5), chance):
        took = chance.randint(60, 240)
        yield at, f"INFO dex::http: https://mail.example.com/ status=200 total_ms={took}"
    yield scene.facts.started_at, f"INFO dex::remote: command {scene.facts.command_id} warp-diag accepted"


def _ipc(scene: Scene, now: datetime) -> Iterator[Line]:
    for index, request in enumerate(("GetStatus", "GetSettings", "GetStats", "GetDeviceState")):
        yield now - timedelta(seconds=40 - index), f"DEBUG ipc: request {request} from gui, answered in 1ms"


def _routes(scene: Scene, start: datetime) -> Iterator[Line]:
    machine = scene.machine
    yield start, f"INFO route_monitor: default via {machine.gateway} on {machine.default_interface}"
    yield start + timedelta(seconds=2), f"INFO route_monitor: routes added on {machine.tunnel_interface}"


def _gui(scene: Scene, start: datetime, end: datetime) -> Iterator[Line]:
    yield start + timedelta(seconds=3), "INFO gui: connected to service"
    for at in _every(start + timedelta(minutes=1), end, timedelta(minutes=30), scene.chance):
        yield at, "DEBUG gui: status Connected"
