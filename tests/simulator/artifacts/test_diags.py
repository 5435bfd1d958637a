import io
import json
import re
import zipfile
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import get_args

import pytest

from simulator.artifacts import ArtifactFacts, build_artifact
from simulator.artifacts.facts import Platform
from tests.simulator.artifacts.samples import STARTED_AT, build_and_unzip, sample_facts

ON_EVERY_PLATFORM = pytest.mark.parametrize("platform", get_args(Platform))
LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARN|ERROR) [\w:]+: \S")


def diag(platform: Platform) -> ArtifactFacts:
    return sample_facts(kind="warp-diag", platform=platform, duration_seconds=25.0)


def text(platform: Platform, name: str) -> str:
    return build_and_unzip(diag(platform))[name].decode().replace("\r\n", "\n")


@ON_EVERY_PLATFORM
def test_diag_is_a_small_flat_zip_with_the_main_files(platform: Platform) -> None:
    content = build_artifact(diag(platform))
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert len(content) < 300_000
    assert not [name for name in names if "/" in name]
    for name in ("warp-status.txt", "warp-settings.txt", "daemon.log", "daemon.log.1", "connectivity.txt"):
        assert name in names


@ON_EVERY_PLATFORM
def test_log_lines_have_time_level_and_module_and_are_in_order(platform: Platform) -> None:
    logs = {name: text(platform, name) for name in build_and_unzip(diag(platform)) if ".log" in name}
    times: dict[str, list[datetime]] = {}
    for name, content in logs.items():
        lines = [line for line in content.splitlines() if not line.startswith("  ")]
        assert all(LINE.match(line) for line in lines), name
        times[name] = [datetime.fromisoformat(line.split()[0]) for line in lines]
        assert times[name] == sorted(times[name])
    assert times["daemon.log.1"][-1] <= times["daemon.log"][0]
    assert any(line.startswith("  ") for line in logs["daemon.log"].splitlines())


def test_each_platform_has_its_own_files() -> None:
    names = {platform: set(build_and_unzip(diag(platform))) for platform in ("windows", "mac", "linux")}
    assert {"ipconfig.txt", "routetable.txt", "processes.txt", "msi-installer.log"} <= names["windows"]
    assert {"ifconfig.txt", "scutil-dns.txt", "sw-vers.txt", "mdm.plist"} <= names["mac"]
    assert {"lsb-release.txt", "uname.txt", "resolv.conf"} <= names["linux"]
    assert not {"resolv.conf", "uname.txt"} & names["windows"]
    assert not {"ipconfig.txt", "lsb-release.txt"} & names["mac"]
    assert not {"scutil-dns.txt", "mdm.plist"} & names["linux"]


@ON_EVERY_PLATFORM
def test_files_agree_with_the_facts_about_the_device(platform: Platform) -> None:
    facts = diag(platform)
    assert text(platform, "warp-status.txt") == "Ok(Connected)\n"
    assert facts.client_version in text(platform, "version.txt")
    assert text(platform, "hostname.txt").strip() == facts.device_name
    assert facts.device_id in text(platform, "warp-account.txt")
    assert facts.command_id in text(platform, "dex.log")
    finished = parsedate_to_datetime(text(platform, "date.txt").strip())
    assert 24 <= (finished - STARTED_AT).total_seconds() <= 25
    network = json.loads(text(platform, "warp-network.txt"))
    assert network["v4"]["address"] in text(platform, "v4interfaces.txt")


def test_settings_show_their_source_and_indent_lists() -> None:
    lines = text("mac", "warp-settings.txt").splitlines()
    assert lines[0] == "Merged configuration:"
    assert all(re.match(r"^(\([a-z ]+\)\t\S|  \S)", line) for line in lines[1:])
    excluded = lines.index("(network policy)\tExclude mode, with hosts/ips:")
    assert lines[excluded + 1] == "  10.0.0.0/16"


def test_connectivity_shows_one_trace_outside_and_one_inside_the_tunnel() -> None:
    content = text("linux", "connectivity.txt")
    assert re.findall(r"^warp=(\w+)$", content, re.M) == ["off", "on"]
    assert len(re.findall(r"^colo=[A-Z]{3}$", content, re.M)) == 2


def test_output_of_system_commands_is_in_blocks_and_a_missing_file_leaves_its_error() -> None:
    assert re.match(r"stdout:\n.+\nstderr:\n.*exit status: 0\n\Z", text("mac", "netstat.txt"), re.S)
    assert "os error 2" in text("linux", "dhcp-lease.txt")


def test_same_facts_give_the_same_diag() -> None:
    assert build_artifact(diag("linux")) == build_artifact(diag("linux"))
