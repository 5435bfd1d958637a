"""Logs of a WARP diag, in the client's format, newest line last. Some are rotated.

They show normal operation only: connections, handshakes, lookups, tests, routes. This module must not simulate
troubles.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

from simulator.artifacts.machine import ENDPOINT, ENDPOINT_PORT, RESOLVER
from simulator.artifacts.warp.context import DiagContext, log_timestamp

_NAMES = ("mail.example.com", "files.example.com", "tickets.example.org", "chat.example.net", "cp.cloudflare.com")
_HANDSHAKE_EVERY = timedelta(seconds=120)
_STATS_EVERY = timedelta(minutes=1)

Line = tuple[datetime, str]


def log_files(context: DiagContext) -> dict[str, str]:
    """Build all logs. `daemon.log` covers the last two hours, `daemon.log.1` the six hours before."""
    now = context.now
    recent, older = now - timedelta(hours=2), now - timedelta(hours=8)
    files = {
        "daemon.log": _format_lines(_daemon(context, recent, now)),
        "daemon.log.1": _format_lines([*_start_of_daemon(context, older), *_daemon(context, older, recent)]),
        "daemon_dns.log": _format_lines(_lookups(context, now - timedelta(minutes=20), now)),
        "daemon_dns.log.1": _format_lines(_lookups(context, now - timedelta(minutes=60), now - timedelta(minutes=20))),
        "boringtun.log": _format_lines(_handshakes(context, recent, now)),
        "dns_stats.log": _format_lines(_dns_stats(context, recent, now)),
        "connection_stats.log": _format_lines(_connection_stats(context, recent, now)),
        "dex.log": _format_lines(_dex(context, recent, now)),
        "ipc.log": _format_lines(_ipc(context, now)),
        "dynamic.log": "",
        "taskdump.log": _format_lines([(now, "INFO warp::taskdump: 41 tasks alive, none blocked")]),
        "route-change.log": _format_lines(_routes(context, older)),
        "gui-log.log": _format_lines(_gui(context, older, now)),
        "gui-launcher.log": _format_lines([(older, "INFO warp_launcher: tray application started")]),
    }
    installer = "msi-installer.log" if context.facts.platform == "windows" else "installer.log"
    version = context.facts.client_version
    installed = now - timedelta(days=context.facts.device_rng().randint(9, 60))
    files[installer] = _format_lines([(installed, f"INFO installer: version {version} installed, service started")])
    return files


def _format_lines(lines: Iterable[Line]) -> str:
    return "".join(f"{log_timestamp(at)} {text}\n" for at, text in sorted(lines))


def _every(start: datetime, end: datetime, step: timedelta, rng: Random) -> Iterator[datetime]:
    """Yield an instant for each step from start to end, each up to a tenth of a step late."""
    moment = start
    while moment < end:
        yield min(moment + step * rng.uniform(0, 0.1), end)
        moment += step


def _start_of_daemon(context: DiagContext, at: datetime) -> list[Line]:
    machine, facts = context.machine, context.facts
    texts = (
        f"INFO warp_svc: starting version {facts.client_version} on {facts.platform}",
        "DEBUG warp::settings: loaded settings from disk\n  layers: default, network policy, user",
        f"INFO warp::registration: device {facts.device_id} registered with {context.organization}",
        f"DEBUG network_info: primary interface {machine.default_interface} address {machine.lan_address}",
        "INFO warp::firewall: rules applied",
        f"DEBUG warp::connect: trying endpoint {ENDPOINT}:{ENDPOINT_PORT}",
        "INFO warp::tunnel: handshake complete",
        f"INFO warp::tunnel: interface {machine.tunnel_interface} up with {machine.tunnel_address}",
        "INFO warp::dns: listening on 127.0.2.2:53 and 127.0.2.3:53",
        "INFO main_loop: status changed to Connected",
    )
    return [(at + timedelta(milliseconds=140 * index), text) for index, text in enumerate(texts)]


def _daemon(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    rng, colo = context.rng, context.machine.colo
    for at in _every(start, end, timedelta(seconds=45), rng):
        yield at, f"DEBUG main_loop: watchdog alive, {rng.randint(30, 48)} tasks"
    for at in _every(start, end, timedelta(minutes=5), rng):
        text = f"DEBUG warp::connectivity: trace inside tunnel\n  warp=on\n  colo={colo}\n  gateway=on"
        yield at, text
    for at in _every(start, end, timedelta(minutes=10), rng):
        yield at, "DEBUG warp::posture: 4 checks sent, all successful"
    for at in _every(start, end, timedelta(minutes=30), rng):
        yield at, "INFO warp::settings: policy fetched, unchanged"


def _lookups(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    rng = context.rng
    for at in _every(start, end, timedelta(seconds=6), rng):
        name, took = rng.choice(_NAMES), rng.randint(8, 44)
        yield at, f"DEBUG dns_proxy::resolver: {name}. A NOERROR via {RESOLVER} in {took}ms"


def _handshakes(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    last = end - timedelta(seconds=context.handshake_seconds)
    count = (last - start) // _HANDSHAKE_EVERY
    for index in range(count + 1):
        at = last - index * _HANDSHAKE_EVERY
        yield at, f"DEBUG boringtun::noise: sending handshake_initiation to {ENDPOINT}:{ENDPOINT_PORT}"
        yield at + timedelta(milliseconds=context.latency_ms), "DEBUG boringtun::noise: received handshake_response"


def _dns_stats(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    rng = context.rng
    for at in _every(start, end, _STATS_EVERY, rng):
        queries, average = rng.randint(20, 160), rng.randint(11, 29)
        yield at, f"INFO dns_proxy::stats: queries={queries} timeouts=0 servfail=0 average_ms={average}"


def _connection_stats(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    rng = context.rng
    for at in _every(start, end, _STATS_EVERY, rng):
        latency = context.latency_ms + rng.randint(-3, 9)
        yield at, f"INFO warp::stats: latency_ms={latency} loss_percent=0.0 jitter_ms={rng.randint(0, 4)}"


def _dex(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    rng = context.rng
    for at in _every(start, end, timedelta(minutes=5), rng):
        took = rng.randint(60, 240)
        yield at, f"INFO dex::http: https://mail.example.com/ status=200 total_ms={took}"
    yield context.facts.started_at, f"INFO dex::remote: command {context.facts.command_id} warp-diag accepted"


def _ipc(context: DiagContext, now: datetime) -> Iterator[Line]:
    for index, request in enumerate(("GetStatus", "GetSettings", "GetStats", "GetDeviceState")):
        yield now - timedelta(seconds=40 - index), f"DEBUG ipc: request {request} from gui, answered in 1ms"


def _routes(context: DiagContext, start: datetime) -> Iterator[Line]:
    machine = context.machine
    yield start, f"INFO route_monitor: default via {machine.gateway} on {machine.default_interface}"
    yield start + timedelta(seconds=2), f"INFO route_monitor: routes added on {machine.tunnel_interface}"


def _gui(context: DiagContext, start: datetime, end: datetime) -> Iterator[Line]:
    yield start + timedelta(seconds=3), "INFO gui: connected to service"
    for at in _every(start + timedelta(minutes=1), end, timedelta(minutes=30), context.rng):
        yield at, "DEBUG gui: status Connected"
