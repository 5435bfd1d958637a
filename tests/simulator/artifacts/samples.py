"""Facts of one sample command, and the files of its zip."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from simulator.artifacts import ArtifactFacts, build_artifact

STARTED_AT = datetime(2026, 11, 3, 9, 41, 7, 250_000, tzinfo=UTC)
FACTS = ArtifactFacts(
    command_id="5e0c1b5a-9b5c-4a3e-8a55-0f7f5f3f8a11",
    kind="pcap",
    device_id="0b9f6a3e-53a7-4f0c-bc9a-4f7b3f0f1d22",
    device_name="LT-1042",
    platform="mac",
    client_version="2026.1.89.0",
    person_email="ada.byron@example.com",
    seed=1,
    started_at=STARTED_AT,
    duration_seconds=300.0,
)


def sample_facts(**changes: Any) -> ArtifactFacts:
    return replace(FACTS, **changes)


def build_and_unzip(facts: ArtifactFacts) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(build_artifact(facts))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}
