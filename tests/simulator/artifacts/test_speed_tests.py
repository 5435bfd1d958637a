import io
import json
import zipfile

from simulator.artifacts import ArtifactFacts, build_artifact
from tests.simulator.artifacts.made import facts, opened


def measured(some: ArtifactFacts) -> dict[str, dict[str, float]]:
    interfaces: dict[str, dict[str, float]] = json.loads(opened(some)["results.json"])["interfaces"]
    return interfaces


def test_each_interface_has_its_measurements() -> None:
    interfaces = measured(facts(kind="speed-test"))
    assert set(interfaces) == {"default", "tunnel"}
    for row in interfaces.values():
        assert row["download_mbps"] > 0
        assert row["upload_mbps"] > 0
        assert row["latency_loaded_ms"] > row["latency_idle_ms"] > 0
        assert row["jitter_ms"] > 0


def test_only_the_interface_that_was_asked_for_is_measured() -> None:
    assert set(measured(facts(kind="speed-test", options={"interfaces": ["default"]}))) == {"default"}


def test_an_interface_that_failed_says_so_instead_of_numbers() -> None:
    row = measured(facts(kind="speed-test", failed_interfaces=frozenset({"tunnel"})))["tunnel"]
    assert row["success"] is False
    assert "download_mbps" not in row


def test_zip_entries_carry_the_time_of_the_command_to_the_two_seconds_a_zip_knows() -> None:
    archive = zipfile.ZipFile(io.BytesIO(build_artifact(facts(kind="speed-test"))))
    assert {entry.date_time for entry in archive.infolist()} == {(2026, 11, 3, 9, 41, 6)}
