"""The zips of finished commands: built on demand from `simulator.artifacts`, kept in a cache bounded by bytes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import cast

from simulator.artifacts import build_artifact
from simulator.artifacts.facts import ArtifactFacts, Kind, Platform
from simulator.ledger import Command


@dataclass(frozen=True, slots=True)
class Parcel:
    body: bytes
    etag: str


class Shelf:
    """Safe to use from several threads; two who want the same zip wait for one build."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._parcels: OrderedDict[str, Parcel] = OrderedDict()
        self._lock = Lock()

    def parcel(self, command: Command, *, seed: int, shared: int) -> Parcel:
        """`shared` > 0: only that many distinct zips of a kind, for load runs."""
        facts = _shared_facts(command, seed, shared) if shared else facts_of(command, seed)
        key = f"{facts.kind}/{facts.command_id}"
        with self._lock:
            parcel = self._parcels.get(key)
            if parcel is None:
                body = build_artifact(facts)
                parcel = Parcel(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
                self._keep(key, parcel)
            else:
                self._parcels.move_to_end(key)
        return parcel

    def _keep(self, key: str, parcel: Parcel) -> None:
        self._parcels[key] = parcel
        self._held += len(parcel.body)
        while self._held > self._limit and len(self._parcels) > 1:
            _, dropped = self._parcels.popitem(last=False)
            self._held -= len(dropped.body)


def facts_of(command: Command, seed: int) -> ArtifactFacts:
    device, timeline = command.device, command.timeline
    return ArtifactFacts(
        command_id=command.id,
        kind=cast(Kind, command.kind),
        device_id=device.device_id,
        device_name=device.device_name,
        platform=cast(Platform, device.platform),
        client_version=device.version,
        person_email=device.person_email,
        seed=seed,
        started_at=datetime.fromtimestamp(timeline.begins_at, UTC),
        duration_seconds=timeline.uploads_at - timeline.begins_at,
        options=command.options,
        failed_interfaces=timeline.failed_interfaces,
    )


def _shared_facts(command: Command, seed: int, shared: int) -> ArtifactFacts:
    number = int(hashlib.sha256(command.id.encode()).hexdigest()[:8], 16) % shared
    return ArtifactFacts(
        command_id=f"shared-{number}",
        kind=cast(Kind, command.kind),
        device_id="shared",
        device_name="shared",
        platform="windows",
        client_version="2026.9.558.0",
        person_email="shared@example.com",
        seed=seed + number,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_seconds=2.0,
        options={},
        failed_interfaces=frozenset(),
    )
