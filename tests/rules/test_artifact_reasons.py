import pytest

from commands.rules.artifact_reasons import ArtifactReason, partial_reason


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["capture-default.pcap", "results.json"], ArtifactReason.MISSING_TUNNEL_CAPTURE),
        (["capture-tunnel.pcap"], ArtifactReason.MISSING_DEVICE_CAPTURE),
        (["results.json"], ArtifactReason.MISSING_CAPTURES),
        (["x/capture-default.pcapng", "capture-tunnel.pcap"], None),
    ],
)
def test_zip_of_a_capture_names_the_capture_that_is_missing(files: list[str], reason: ArtifactReason | None) -> None:
    assert partial_reason("pcap", {}, files) == reason


def test_other_kinds_promise_no_file() -> None:
    assert partial_reason("warp-diag", {}, []) is None
