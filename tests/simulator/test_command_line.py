"""Command line of the simulator: its output, its address, its end."""

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.polling import MAX_WAIT
from tests.simulator.in_process import BEARER, DEX


@contextmanager
def running_program(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", int, str]]:
    """Run the simulator. Yield the process, its port and its first line of output."""
    command = [sys.executable, "-m", "simulator", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        line = process.stdout.readline().strip()
        yield process, int(line.rpartition(":")[2].split("/")[0]), line
    finally:
        process.kill()
        process.communicate()


def test_simulator_prints_its_address_then_one_line_for_each_account() -> None:
    with running_program("--accounts", "2", "--seed", "4") as (process, port, line):
        assert line == f"simulator http://127.0.0.1:{port}/client/v4"
        assert process.stdout
        assert process.stdout.readline() == (
            "account 0123456789abcdef0123456789abcdef token simulator-token-not-a-secret\n"
        )
        assert process.stdout.readline().startswith("account ")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MAX_WAIT)
        connection.request("GET", f"{DEX}/commands/quota", headers=BEARER)
        assert connection.getresponse().status == 200
        connection.close()


def test_simulator_listens_on_the_loopback_address_only() -> None:
    with running_program() as (_, port, _line), pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=MAX_WAIT).close()


def test_term_ends_the_simulator_although_requests_hang() -> None:
    with running_program() as (process, port, _):
        control = http.client.HTTPConnection("127.0.0.1", port, timeout=MAX_WAIT)
        control.request("PUT", "/_sim/faults", b'{"rules": [{"match": {"call": "list"}, "effect": {"kind": "hang"}}]}')
        assert control.getresponse().read()
        hanging = [socket.create_connection(("127.0.0.1", port), timeout=MAX_WAIT) for _ in range(5)]
        for connection in hanging:
            head = f"GET {DEX}/commands?page=1&per_page=5 HTTP/1.1\r\nHost: x\r\n"
            connection.sendall(f"{head}Authorization: {BEARER['Authorization']}\r\n\r\n".encode())
        control.request("GET", "/_sim/faults")  # the hanging ones were read before this one
        assert control.getresponse().read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(MAX_WAIT) == 0, "the requests hang for an hour"
        assert process.stderr
        assert process.stderr.read() == ""
        for connection in hanging:
            connection.close()
        control.close()


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--accounts", "0"], ["--port", "x"]])
def test_invalid_arguments_are_rejected(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "simulator", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "error" in result.stderr
