"""Lifecycle of one command, as a pure function of time.

The timeline is planned once, when the command is created. After that a status is only read from it, so that no
timer is needed and a later change of the configuration does not reach running commands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from simulator.presence import next_online
from simulator.world import Device

PENDING_EXEC = "PENDING_EXEC"
PENDING_UPLOAD = "PENDING_UPLOAD"
SUCCESS = "SUCCESS"
FAILED = "FAILED"
STATUSES = (PENDING_EXEC, PENDING_UPLOAD, SUCCESS, FAILED)

NO_INTERFACES: frozenset[str] = frozenset()
QUICK_FAILURE = 4.0  # simulated seconds of work until a machine with a trouble gives up

type Options = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Instants of one command, in seconds since the epoch.

    If `uploads_at` equals `ends_at`, the command fails without an upload. `cause` says why, and is "" on success.
    """

    begins_at: float
    uploads_at: float
    ends_at: float
    outcome: str
    cause: str = ""
    failed_interfaces: frozenset[str] = NO_INTERFACES


@dataclass(frozen=True, slots=True)
class Job:
    """Command to plan. `busy`: another capture already runs on this Windows machine."""

    device: Device
    kind: str
    options: Options
    created_at: float
    random_seed: int
    busy: bool = False


@dataclass(frozen=True, slots=True)
class LifecycleSettings:
    """Settings that a timeline depends on.

    `offline_timeout` is in simulated seconds. `failure_share` is the share of commands that fail for no other reason.
    """

    speed: float = 1.0
    offline_timeout: float = 600.0
    failure_share: float = 0.0


def status_at(timeline: Timeline, now: float) -> str:
    if now >= timeline.ends_at:
        return timeline.outcome
    return PENDING_UPLOAD if now >= timeline.uploads_at else PENDING_EXEC


def plan_timeline(job: Job, settings: LifecycleSettings) -> Timeline:
    """Plan the instants and the outcome of a command."""
    online_at = next_online(job.device.presence, job.created_at, settings.speed)
    deadline = job.created_at + settings.offline_timeout / settings.speed
    if online_at > deadline:
        return Timeline(deadline, deadline, deadline, FAILED, "offline")
    if job.busy:
        return Timeline(online_at, online_at, online_at, FAILED, "busy")
    rng = Random(job.random_seed)
    begins_at = online_at + rng.uniform(1, 8) / settings.speed
    work, upload = _work_seconds(job, rng), _upload_seconds(job.kind, rng)
    cause = _failure_cause(job, rng, settings)
    if cause:
        # only the whole capture shows that the file is too large
        spent = work if cause == "too large" else min(work, QUICK_FAILURE)
        failed_at = begins_at + spent / settings.speed
        return Timeline(begins_at, failed_at, failed_at, FAILED, cause)
    uploads_at = begins_at + work / settings.speed
    return Timeline(begins_at, uploads_at, uploads_at + upload / settings.speed, SUCCESS, "", _failed_interfaces(job))


def _number(options: Options, name: str, default: float) -> float:
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _work_seconds(job: Job, rng: Random) -> float:
    if job.kind == "pcap":
        return _number(job.options, "time-limit-min", 5) * 60
    if job.kind == "warp-diag":
        routes = rng.uniform(45, 150) if job.options.get("test-all-routes", True) else 0.0
        return rng.uniform(25, 60) + routes
    # a speed test measures one interface after the other
    return rng.uniform(15, 25) * len(_interfaces(job.options))


def _upload_seconds(kind: str, rng: Random) -> float:
    return rng.uniform(1, 3) if kind == "speed-test" else rng.uniform(4, 20)


def _interfaces(options: Options) -> tuple[str, ...]:
    requested = options.get("interfaces")
    return (
        tuple(str(name) for name in requested) if isinstance(requested, list) and requested else ("default", "tunnel")
    )


def artifact_mb(job: Job) -> float:
    """Estimate the file's size.

    A heavy machine exceeds the default limit of a capture, 5 MB, within its default duration, 5 minutes.
    """
    if job.kind != "pcap":
        return 8.0 if job.device.trouble == "heavy" else 0.6
    per_minute = 4.0 if job.device.trouble == "heavy" else 0.12
    snap_ratio = _number(job.options, "packet-size-bytes", 160) / 160
    return per_minute * _number(job.options, "time-limit-min", 5) * math.sqrt(max(snap_ratio, 0.25))


def _failure_cause(job: Job, rng: Random, settings: LifecycleSettings) -> str:
    """Return the cause of the failure, or "" if the command succeeds."""
    trouble = job.device.trouble
    if job.kind == "pcap" and trouble in {"pktmon", "locale"}:
        return trouble
    if job.kind == "warp-diag" and trouble == "no-diag":
        return trouble
    if artifact_mb(job) > _number(job.options, "max-file-size-mb", 5.0 if job.kind == "pcap" else 100.0):
        return "too large"
    return "chance" if rng.random() < settings.failure_share else ""


def _failed_interfaces(job: Job) -> frozenset[str]:
    """Return the interfaces that fail in a capture that still ends SUCCESS, as Cloudflare documents it."""
    if job.kind == "pcap" and job.device.trouble == "no-tunnel" and len(_interfaces(job.options)) > 1:
        return frozenset({"tunnel"})
    return NO_INTERFACES
