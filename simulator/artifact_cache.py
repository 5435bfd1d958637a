"""Cache of the zips of finished commands, bounded by bytes.

`simulator.artifacts` builds the zips. This module must not decide who may download them, or when.
"""

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
class CachedArtifact:
    """Zip and its ETag, which derives from its bytes."""

    body: bytes
    etag: str


class ArtifactCache:
    """Least recently used cache, safe for threads. Two requests for the same zip build it once."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._artifacts: OrderedDict[str, CachedArtifact] = OrderedDict()
        self._lock = Lock()

    def get_or_build(self, command: Command, *, seed: int, shared: int) -> CachedArtifact:
        """Return the zip of a finished command.

        `shared` above 0 limits the number of distinct zips of each kind, so that load tests spend no time on building.
        """
        facts = _shared_facts(command, seed, shared) if shared else _facts(command, seed)
        key = f"{facts.kind}/{facts.command_id}"
        # built inside the lock, so that two threads never build the same zip
        with self._lock:
            artifact = self._artifacts.get(key)
            if artifact is None:
                body = build_artifact(facts)
                artifact = CachedArtifact(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
                self._add(key, artifact)
            else:
                self._artifacts.move_to_end(key)
        return artifact

    def _add(self, key: str, artifact: CachedArtifact) -> None:
        self._artifacts[key] = artifact
        self._size += len(artifact.body)
        # the newest zip stays, even if it is larger than the limit
        while self._size > self._limit and len(self._artifacts) > 1:
            _, dropped = self._artifacts.popitem(last=False)
            self._size -= len(dropped.body)


def _facts(command: Command, seed: int) -> ArtifactFacts:
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
    """Choose one of `shared` sets of facts by the command's id, so that each command always has the same zip."""
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
