import io
import json
import zipfile

from simulator.artifacts import ArtifactFacts, build_artifact
from tests.simulator.artifacts.samples import build_and_unzip, sample_facts


def measurements(facts: ArtifactFacts) -> dict[str, dict[str, float]]:
    interfaces: dict[str, dict[str, float]] = json.loads(build_and_unzip(facts)["results.json"])["interfaces"]
    return interfaces


def test_each_interface_has_measurements() -> None:
    interfaces = measurements(sample_facts(kind="speed-test"))
    assert set(interfaces) == {"default", "tunnel"}
    for row in interfaces.values():
        assert row["download_mbps"] > 0
        assert row["upload_mbps"] > 0
        assert row["latency_loaded_ms"] > row["latency_idle_ms"] > 0
        assert row["jitter_ms"] > 0


def test_only_the_requested_interface_is_measured() -> None:
    assert set(measurements(sample_facts(kind="speed-test", options={"interfaces": ["default"]}))) == {"default"}


def test_failed_interface_has_an_error_instead_of_measurements() -> None:
    row = measurements(sample_facts(kind="speed-test", failed_interfaces=frozenset({"tunnel"})))["tunnel"]
    assert row["success"] is False
    assert "download_mbps" not in row


def test_zip_entries_have_the_time_of_the_command_rounded_to_two_seconds() -> None:
    archive = zipfile.ZipFile(io.BytesIO(build_artifact(sample_facts(kind="speed-test"))))
    assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 3, 9, 41, 6)}
