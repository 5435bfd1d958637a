"""Simulator in a thread of the test process, on a free port, with a clock that only the test moves.

Tests call it over real HTTP.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from simulator.clock import Clock
from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN, Config, default_accounts
from simulator.server import Server
from simulator.state import Simulator

START = 1_800_000_000.0
DEX = f"/client/v4/accounts/{DEFAULT_ACCOUNT_ID}/dex"
BEARER = {"Authorization": f"Bearer {DEFAULT_TOKEN}"}


class ManualClock(Clock):
    """Clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.at = START
        super().__init__(lambda: self.at)

    def advance(self, seconds: float) -> None:
        self.at += seconds


@dataclass(frozen=True)
class Reply:
    """Response as the test reads it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        return self.json["result"]

    @property
    def code(self) -> int:
        return int(self.json["errors"][0]["code"])


class LocalSimulator:
    """Simulator that runs in a thread: `with LocalSimulator() as world`. `world.sim` is its state."""

    def __init__(self, *, accounts: int = 1, clock: Clock | None = None, **changes: object) -> None:
        self.clock = ManualClock()
        config = Config(accounts=default_accounts(accounts), people=12).with_changes(changes)
        self.sim = Simulator(config, clock or self.clock)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._server = Server(self.sim)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] = BEARER,
        timeout: float = 5.0,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, dict(headers))
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def create(self, *items: Mapping[str, object], headers: Mapping[str, str] = BEARER) -> Reply:
        return self.call("POST", f"{DEX}/commands", {"commands": list(items)}, headers)

    def listing(self, query: str = "", headers: Mapping[str, str] = BEARER) -> Reply:
        extra = f"&{query}" if query else ""
        return self.call("GET", f"{DEX}/commands?page=1&per_page=50{extra}", headers=headers)

    def rows(self, query: str = "") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.listing(query).result["commands"]
        return rows

    def devices(self) -> list[dict[str, Any]]:
        """List the devices that are eligible, always connected and without a trouble."""
        reply = self.call("GET", f"{DEX}/commands/devices?page=1&per_page=50")
        healthy = {
            row["registration_id"]
            for row in self.control("GET", "world")["devices"]
            if not row["trouble"] and row["eligible"] and not row["presence"]["period"]
        }
        return [row for row in reply.result["devices"] if row["registrationId"] in healthy]

    def control(self, method: str, path: str, body: object = None) -> Any:
        reply = self.call(method, f"/_sim/{path}", body, headers={})
        assert reply.status == 200, reply.body
        return reply.json

    def fault(self, kind: str, *, call: str = "", nth: int = 0, **parameters: object) -> None:
        """Set one fault rule in place of all others."""
        rule = {"match": {"call": call, "nth": nth}, "effect": {"kind": kind, **parameters}}
        self.control("PUT", "faults", {"rules": [rule]})

    def ledger(self) -> Any:
        return self.control("GET", "ledger")

    def create_finished(self, kind: str = "pcap") -> str:
        """Create a command, advance the clock beyond its end, and return its id."""
        command_id: str = self.create(item(self.devices()[0], kind)).result["commands"][0]["id"]
        self.clock.advance(3600)
        return command_id


def item(device: Mapping[str, Any], kind: str = "pcap", **extra: object) -> dict[str, object]:
    return {
        "device_id": device["deviceId"],
        "registration_id": device["registrationId"],
        "user_email": device["personEmail"],
        "type": kind,
        **extra,
    }


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition that another thread or process fulfils."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"the condition was not fulfilled within {seconds} s"
        pause.wait(0.01)
