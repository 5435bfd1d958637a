"""Tests of `python -m dexportal.run`: refused starts, and whole starts and stops of the real portal."""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dexportal.run.portal import CannotStart, free_port, lock, require_free_port
from tests.dexportal.portals import run
from tests.house.supervised import Supervised
from tests.polling import MAX_WAIT


@contextmanager
def portal(*arguments: str, **environment: str) -> Iterator[Supervised]:
    running = Supervised(["-m", "dexportal.run", *arguments], environment)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(MAX_WAIT)


def test_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with portal(PORT=port, VAR_DIR=str(tmp_path)) as refused:
            assert refused.wait() == 1
    assert len(refused.output) == 1
    assert f"Port {port} on 127.0.0.1 can't be used (Address already in use)" in refused.output[0]


def test_folder_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "var"
    with portal(PORT=str(free_port()), VAR_DIR=str(folder)) as refused:
        assert refused.wait() == 1
    assert len(refused.output) == 1
    assert f"Can't write to {folder}" in refused.output[0]


def test_highest_port_in_use_suggests_a_port_that_exists() -> None:
    with socket.socket() as taken:
        with suppress(OSError):  # another program uses it, which is just as good
            taken.bind(("127.0.0.1", 65535))
            taken.listen()
        with pytest.raises(CannotStart, match=r"^Port 65535 .* or choose another port: PORT=8001 make run$"):
            require_free_port(65535)


def test_port_that_is_not_a_number_is_reported_in_one_line(tmp_path: Path) -> None:
    with portal(PORT="eight thousand", VAR_DIR=str(tmp_path)) as refused:
        assert refused.wait() == 1
    assert len(refused.output) == 1
    assert "PORT must be a whole number" in refused.output[0]


def test_portal_starts_prints_how_to_sign_in_and_stops(tmp_path: Path) -> None:
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
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/", timeout=MAX_WAIT) as page:
            assert page.status == 200
        assert "account Simulator: can create commands" in doctor(tmp_path)
        running.send(signal.SIGTERM)
        assert running.wait() == 0
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "simulator_url").exists()


def test_dev_mode_shows_debug_pages_and_leaves_no_process(tmp_path: Path) -> None:
    port = free_port()
    with portal("--dev", PORT=str(port), VAR_DIR=str(tmp_path)) as running:
        running.expect(f"The portal is at http://127.0.0.1:{port}")
        assert any(line.startswith("simulator|") for line in running.output)
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/no-such-page", timeout=MAX_WAIT)
        with missing.value as page:
            assert b"<code>DEBUG = True</code>" in page.read()
        running.send(signal.SIGTERM)
        assert running.wait() == 0
    assert processes_of(tmp_path) == []


def doctor(var: Path) -> str:
    """Run `manage.py doctor` as a second shell would, with nothing but the portal's folder."""
    return run({"VAR_DIR": str(var)}, "manage.py", "doctor").stdout


def processes_of(var: Path) -> list[str]:
    """Find every process that has this folder in its environment."""
    table = subprocess.run(["ps", "axeww", "-o", "pid,command"], capture_output=True, text=True, check=True).stdout
    return [line for line in table.splitlines() if f"VAR_DIR={var}" in line]


def test_second_portal_in_one_folder_is_reported_in_one_line_and_the_first_goes_on(tmp_path: Path) -> None:
    with lock(tmp_path), portal(PORT=str(free_port()), VAR_DIR=str(tmp_path)) as refused:
        assert refused.wait() == 1
    assert len(refused.output) == 1
    assert f"Another portal is running in {tmp_path} (process {os.getpid()})" in refused.output[0]
    with lock(tmp_path):
        pass
