"""The life of one command as a pure function of time: planned once, when it is created, then only read."""

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

NOTHING_FAILED: frozenset[str] = frozenset()
# Seconds of work after which a broken machine gives up.
QUICK_FAILURE = 4.0

type Options = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Instants since the epoch. `uploads_at == ends_at` means that it failed without an upload."""

    begins_at: float
    uploads_at: float
    ends_at: float
    outcome: str
    cause: str = ""
    failed_interfaces: frozenset[str] = NOTHING_FAILED


@dataclass(frozen=True, slots=True)
class Job:
    """`busy` says that another capture runs on this Windows machine; `luck` seeds what chance decides."""

    device: Device
    kind: str
    options: Options
    created_at: float
    luck: int
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """`offline_timeout` in simulated seconds; `failure_share` of all runs fail without a reason."""

    speed: float = 1.0
    offline_timeout: float = 600.0
    failure_share: float = 0.0


def status_at(timeline: Timeline, now: float) -> str:
    if now >= timeline.ends_at:
        return timeline.outcome
    return PENDING_UPLOAD if now >= timeline.uploads_at else PENDING_EXEC


def plan(job: Job, terms: Terms) -> Timeline:
    online_at = next_online(job.device.presence, job.created_at, terms.speed)
    deadline = job.created_at + terms.offline_timeout / terms.speed
    if online_at > deadline:
        return Timeline(deadline, deadline, deadline, FAILED, "offline")
    if job.busy:
        return Timeline(online_at, online_at, online_at, FAILED, "busy")
    rng = Random(job.luck)
    begins_at = online_at + rng.uniform(1, 8) / terms.speed
    work, upload = _work_seconds(job, rng), _upload_seconds(job.kind, rng)
    cause = _failure(job, rng, terms)
    if cause:
        spent = work if cause == "too large" else min(work, QUICK_FAILURE)
        failed_at = begins_at + spent / terms.speed
        return Timeline(begins_at, failed_at, failed_at, FAILED, cause)
    uploads_at = begins_at + work / terms.speed
    return Timeline(begins_at, uploads_at, uploads_at + upload / terms.speed, SUCCESS, "", _failed_interfaces(job))


def _number(options: Options, name: str, default: float) -> float:
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _work_seconds(job: Job, rng: Random) -> float:
    if job.kind == "pcap":
        return _number(job.options, "time-limit-min", 5) * 60
    if job.kind == "warp-diag":
        routes = rng.uniform(45, 150) if job.options.get("test-all-routes", True) else 0.0
        return rng.uniform(25, 60) + routes
    return rng.uniform(15, 25) * len(_interfaces(job.options))


def _upload_seconds(kind: str, rng: Random) -> float:
    return rng.uniform(1, 3) if kind == "speed-test" else rng.uniform(4, 20)


def _interfaces(options: Options) -> tuple[str, ...]:
    chosen = options.get("interfaces")
    return tuple(str(name) for name in chosen) if isinstance(chosen, list) and chosen else ("default", "tunnel")


def artifact_mb(job: Job) -> float:
    """How large the file gets: a heavy machine passes the default 5 MB of a capture in the default 5 minutes."""
    if job.kind != "pcap":
        return 8.0 if job.device.trouble == "heavy" else 0.6
    per_minute = 4.0 if job.device.trouble == "heavy" else 0.12
    whole_packets = _number(job.options, "packet-size-bytes", 160) / 160
    return per_minute * _number(job.options, "time-limit-min", 5) * math.sqrt(max(whole_packets, 0.25))


def _failure(job: Job, rng: Random, terms: Terms) -> str:
    """Why the run fails, or ''."""
    trouble = job.device.trouble
    if job.kind == "pcap" and trouble in {"pktmon", "locale"}:
        return trouble
    if job.kind == "warp-diag" and trouble == "no-diag":
        return trouble
    if artifact_mb(job) > _number(job.options, "max-file-size-mb", 5.0 if job.kind == "pcap" else 100.0):
        return "too large"
    return "chance" if rng.random() < terms.failure_share else ""


def _failed_interfaces(job: Job) -> frozenset[str]:
    """A capture of which one interface failed still ends SUCCESS."""
    if job.kind == "pcap" and job.device.trouble == "no-tunnel" and len(_interfaces(job.options)) > 1:
        return frozenset({"tunnel"})
    return NOTHING_FAILED
