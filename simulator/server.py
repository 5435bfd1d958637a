"""Starts the application on the loopback address and stops it within a second, whatever its clients do."""

from __future__ import annotations

from aiohttp import web

from simulator.app import build_app
from simulator.state import Simulator

HOST = "127.0.0.1"
GRACE = 0.1  # seconds that a request may take to end by itself when the server stops


class Server:
    """`await start()` gives the port that was bound; `await stop()` ends every connection."""

    def __init__(self, sim: Simulator) -> None:
        self._runner = web.AppRunner(build_app(sim), handler_cancellation=True, shutdown_timeout=GRACE, access_log=None)

    async def start(self, port: int = 0) -> int:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}/client/v4"
