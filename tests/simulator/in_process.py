"""Simulator in a thread of the test process, on a free port, with a clock that only the test moves.

Tests call it over real HTTP.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from unittest import mock

from simulator import app
from simulator.clock import Clock
from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN, Config, default_accounts
from simulator.server import Server
from simulator.state import Simulator
from tests.polling import MAX_WAIT, eventually

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
        self.port = asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(MAX_WAIT)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(MAX_WAIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(MAX_WAIT)
        self._loop.close()

    @contextmanager
    def late_commands_held(self) -> Iterator[None]:
        """Let no command of the fault `accepted_late` land before the block ends, however long that takes."""
        perform, held = app._perform_late, list[tuple[Any, ...]]()
        with mock.patch.object(app, "_perform_late", lambda *given: held.append(given)):
            yield
            eventually(lambda: held or None)

        async def let_land() -> None:
            for given in held:
                perform(*given)

        asyncio.run_coroutine_threadsafe(let_land(), self._loop).result(MAX_WAIT)

    @contextmanager
    def hangs_held(self) -> Iterator[None]:
        """Let requests that the fault `hang` stops hang until the block ends, and then get their answer."""
        over = asyncio.Event()

        async def hang(*_: object) -> None:
            await over.wait()

        try:
            with mock.patch.dict(app._FAULTS, hang=hang):
                yield
        finally:
            self._loop.call_soon_threadsafe(over.set)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] = BEARER,
        timeout: float = MAX_WAIT,
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
