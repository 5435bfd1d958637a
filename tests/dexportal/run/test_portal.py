"""`python -m dexportal.run`: what it refuses to start with, and one whole start and stop of the real portal."""

import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from dexportal.run.portal import CannotStart, free_port, require_free_port
from tests.dexportal.portals import run
from tests.house.supervised import Supervised


@contextmanager
def portal(**environment: str) -> Iterator[Supervised]:
    running = Supervised(["-m", "dexportal.run"], environment)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)


def test_a_port_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with portal(PORT=port, VAR_DIR=str(tmp_path)) as refused:
            assert refused.end() == 1
    assert len(refused.heard) == 1
    assert f"Port {port} of 127.0.0.1 cannot be used (Address already in use)" in refused.heard[0]


def test_a_var_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "var"
    with portal(PORT=str(free_port()), VAR_DIR=str(folder)) as refused:
        assert refused.end() == 1
    assert len(refused.heard) == 1
    assert f"{folder} cannot be written to" in refused.heard[0]


def test_the_last_port_in_use_is_answered_with_the_name_of_one_that_there_is() -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else's, then
            taken.bind(("127.0.0.1", 65535))
            taken.listen()
        with pytest.raises(
            CannotStart, match=r"^Port 65535 .*: stop what uses it, or choose another with PORT=8001 make"
        ):
            require_free_port(65535)


def test_a_port_that_is_no_number_is_one_clear_sentence(tmp_path: Path) -> None:
    with portal(PORT="eight thousand", VAR_DIR=str(tmp_path)) as refused:
        assert refused.end() == 1
    assert len(refused.heard) == 1
    assert "PORT must be a whole number" in refused.heard[0]


def test_the_whole_portal_starts_says_how_to_sign_in_and_stops_within_20_seconds(tmp_path: Path) -> None:
    port = free_port()
    environment = {"PORT": str(port), "VAR_DIR": str(tmp_path), "DEXPORTAL_DEMO_PASSWORD": "a-password-of-this-test"}
    with portal(**environment) as running:
        running.expect_all(
            "Sign in as: helpdesk",
            "a-password-of-this-test",
            f"The portal is at http://127.0.0.1:{port}",
            r"^simulator\| simulator http://127.0.0.1:\d+/client/v4",
            r"^talk +\| .* ready\.",
            r"^fetch +\| .* ready\.",
            within=90,
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=20) as page:
            assert page.status == 200
        assert "account Simulator: creates commands" in doctor(tmp_path)
        begun = monotonic()
        running.send(signal.SIGTERM)
        assert running.end(within=30) == 0
        assert monotonic() - begun < 20
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "simulator_url").exists()


def doctor(var: Path) -> str:
    """In a shell beside it, which knows no more than the folder."""
    return run({"VAR_DIR": str(var)}, "manage.py", "doctor").stdout


def processes_of(var: Path) -> list[str]:
    """Every process whose environment names this folder."""
    table = subprocess.run(["ps", "axeww", "-o", "pid,command"], capture_output=True, text=True, check=True).stdout
    return [line for line in table.splitlines() if f"VAR_DIR={var}" in line]
